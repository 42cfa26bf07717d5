"""The output of the tools, whoever reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_tools.console import Meter, print_error, print_line
from orderflow_tools.settings import find_checkout


def test_control_characters_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Lines and tabs stay, colours are removed, and other control characters are made visible."""
    print_line("one\n\x1b[31mtwo\x1b[0m\tthree\x1b[2J")
    print_error("four\x9b\n")

    output = capsys.readouterr()
    assert output.out == "one\ntwo     three?[2J\n"
    assert output.err == "four?\n\n"


def test_a_meter_prints_plain_lines_to_a_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only a terminal's line is overwritten."""
    meter = Meter("build")
    meter.done("ready")

    assert capsys.readouterr().out == "  build: ready, 0:00 min\n"


def tools(
    *arguments: str, home: Path, stdout: int, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the tools in a separate process, on a run's folder."""
    return subprocess.run(
        [sys.executable, "-m", "orderflow_tools.main", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "ORDERFLOW_HOME": str(home), **environment},
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_terminal_can_show_the_commands(tmp_path: Path, encoding: str) -> None:
    """A folder name with characters that the terminal lacks is still shown."""
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}

    done = tools("stop", home=tmp_path / "Łódź", stdout=subprocess.PIPE, **plain)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Nothing is running in " in done.stdout


def test_the_tools_do_not_need_a_reader(tmp_path: Path) -> None:
    """`make status | head -1` prints no traceback, and says that nothing runs."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = tools("status", home=tmp_path, stdout=writer)
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (1, b"")


def test_the_environment_is_made_on_any_terminal() -> None:
    """tools/bootstrap reads the project's files in any locale, and needs no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    script = (
        "import runpy, sys; m = runpy.run_path(sys.argv[1]); "
        "m['print_line']('made'); m['members']()"
    )
    bootstrap = find_checkout() / "tools" / "bootstrap"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(bootstrap)],
            env={**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            stderr=writer,
            check=False,
        )
    finally:
        os.close(writer)

    assert done.returncode == 0
