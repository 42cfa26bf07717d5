"""What the tools print, whatever reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_tools.console import Meter, complain, say
from orderflow_tools.settings import find_checkout


def test_what_a_log_holds_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines and tabs stay, colours are left out, and what else controls a terminal is shown."""
    say("one\n\x1b[31mtwo\x1b[0m\tthree\x1b[2J")
    complain("four\x9b\n")

    said = capsys.readouterr()
    assert said.out == "one\ntwo     three?[2J\n"
    assert said.err == "four?\n\n"


def test_a_meter_is_plain_lines_elsewhere_than_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is renewed in a file."""
    meter = Meter("build")
    meter.done("ready")

    assert capsys.readouterr().out == "  build: ready, 0:00 min\n"


def tools(
    *arguments: str, home: Path, stdout: int, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the tools in a process of their own, on a run's folder."""
    return subprocess.run(
        [sys.executable, "-m", "orderflow_tools.main", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "ORDERFLOW_HOME": str(home), **environment},
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_terminal_can_show_the_commands(tmp_path: Path, encoding: str) -> None:
    """A folder with a name that the terminal does not have is shown all the same."""
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}

    done = tools("stop", home=tmp_path / "Łódź", stdout=subprocess.PIPE, **plain)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Nothing runs in " in done.stdout


def test_a_reader_that_has_gone_does_not_matter_to_the_tools(tmp_path: Path) -> None:
    """`make status | head -1` leaves no trace of Python's, and says that nothing runs."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = tools("status", home=tmp_path, stdout=writer)
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (1, b"")


def test_the_environment_is_made_whatever_the_terminal_is() -> None:
    """tools/bootstrap reads the project's files in any locale, and needs nobody to listen."""
    reader, writer = os.pipe()
    os.close(reader)
    script = "import runpy, sys; m = runpy.run_path(sys.argv[1]); m['say']('made'); m['members']()"
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
