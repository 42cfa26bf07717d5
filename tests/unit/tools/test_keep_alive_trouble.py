"""Faults of the machine that a supervisor survives: no disk, folder, process or reader."""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fakes.supervised import SLEEPER, child_of, eventually, number_in, supervised

IMPATIENT = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from orderflow_tools.supervision import keep_alive, supervisor

free, tries, fork = Path(sys.argv[1]), [0], os.fork

def statvfs(_path):
    return SimpleNamespace(f_bavail=free.exists() * 10**9, f_frsize=1, f_favail=1, f_files=2)

def busy_fork():
    tries[0] += 1
    if tries[0] < 3:
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.statvfs, os.fork, supervisor.FIRST_PAUSE = statvfs, busy_fork, 0.01
sys.exit(keep_alive.keep(keep_alive.read_task(sys.argv[2:])))
"""


def impatient(*, free: Path) -> tuple[str, ...]:
    """Return a supervisor with short pauses, which can only fork at its third attempt.

    Its disk is full until the given path exists.
    """
    return (sys.executable, "-c", IMPATIENT, str(free))


def reports(home: Path) -> list[str]:
    path = home / "run" / "reports.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line)["event"] for line in lines if line]


def supervisor_under(starter: "subprocess.Popen[str]") -> psutil.Process:
    """Return the supervisor by its parent, because its file may be missing."""

    def ask() -> psutil.Process | None:
        with contextlib.suppress(psutil.Error):  # the shell that starts it has children, too
            for child in psutil.Process(starter.pid).children():
                if "keep_alive" in " ".join(child.cmdline()):
                    return child
        return None

    return eventually(ask, "there is no supervisor")


def command_of(supervisor: psutil.Process, *, other_than: int | None = None) -> int:
    """Return the id of a supervisor's command by its parent."""

    def ask() -> int | None:
        found = [child.pid for child in supervisor.children() if child.pid != other_than]
        return found[0] if found else None

    return eventually(ask, "the command was not started")


def limited(what: int, limit: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(what, (limit, resource.getrlimit(what)[1]))


def stops_at_once(starter: "subprocess.Popen[str]") -> None:
    started = time.monotonic()
    starter.terminate()
    assert starter.wait(10) == 0
    assert time.monotonic() - started < 2


def test_everything_is_written_when_a_full_disk_has_room_again(
    tmp_path: Path,
) -> None:
    """No file can be written when the command dies; later, files and report are written."""
    full = limited(resource.RLIMIT_FSIZE, 0)
    with supervised(tmp_path, *SLEEPER, preexec_fn=full, stdout=subprocess.DEVNULL) as starter:
        supervisor = supervisor_under(starter)
        former = command_of(supervisor)
        os.kill(former, signal.SIGKILL)
        second = command_of(supervisor, other_than=former)
        assert not (tmp_path / "run" / "thing.keeper").exists()

        _, most = resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(supervisor.pid, resource.RLIMIT_FSIZE, (most, most))
        os.kill(second, signal.SIGKILL)

        third = command_of(supervisor, other_than=second)
        eventually(lambda: child_of(tmp_path) == third, "the id was not written")
        assert number_in(tmp_path / "run" / "thing.keeper") == supervisor.pid
        eventually(lambda: len(reports(tmp_path)) > 1, "the reports were not written")
        assert set(reports(tmp_path)) == {"restarted"}
        assert {path.name for path in (tmp_path / "run").iterdir()} == {
            "thing.keeper",
            "thing.pid",
            "reports.jsonl",
        }
        stops_at_once(starter)


def test_removed_folders_are_created_again(tmp_path: Path) -> None:
    """If the folders are removed meanwhile, the next start writes log and ids again."""
    with supervised(tmp_path, *SLEEPER) as starter:
        former = child_of(tmp_path)
        supervisor = supervisor_under(starter)
        shutil.rmtree(tmp_path / "logs")
        shutil.rmtree(tmp_path / "run")

        os.kill(former, signal.SIGKILL)

        child_of(tmp_path, other_than=former)
        assert (tmp_path / "logs" / "thing.log").exists()
        assert number_in(tmp_path / "run" / "thing.keeper") == supervisor.pid
        stops_at_once(starter)


def test_a_command_runs_without_its_log(tmp_path: Path) -> None:
    """If no log can be opened or rotated, the command is started without one."""
    (tmp_path / "logs").write_text("a file where a folder should be")
    with supervised(tmp_path, *SLEEPER) as starter:
        former = child_of(tmp_path)
        os.kill(former, signal.SIGKILL)

        child_of(tmp_path, other_than=former)
        eventually(lambda: "failing" in reports(tmp_path), "the missing log was not reported")
        stops_at_once(starter)


def test_a_full_disk_does_not_stop_the_command(tmp_path: Path) -> None:
    """The command's output is lost; the command and its supervisor stay alive."""
    for folder, name in (("logs", "thing.log"), ("run", "reports.jsonl")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).symlink_to("/dev/full")
    with supervised(tmp_path, *SLEEPER) as starter:
        former = child_of(tmp_path)
        os.kill(former, signal.SIGKILL)

        child_of(tmp_path, other_than=former)
        stops_at_once(starter)


@pytest.mark.parametrize("handles", [0, 5])
def test_the_supervisor_waits_for_file_handles(tmp_path: Path, handles: int) -> None:
    """While no process can be started, the supervisor tries again and can be stopped."""
    with supervised(tmp_path, *SLEEPER) as starter:
        former = child_of(tmp_path)
        supervisor = supervisor_under(starter)
        usual = resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE, (handles, usual[1]))
        os.kill(former, signal.SIGKILL)
        eventually(lambda: not supervisor.children(), "the command did not die")

        resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE, usual)

        child_of(tmp_path, other_than=former)
        resource.prlimit(supervisor.pid, resource.RLIMIT_NOFILE, (handles, usual[1]))
        os.kill(command_of(supervisor), signal.SIGKILL)
        stops_at_once(starter)


def test_a_program_that_is_missing_for_a_while_is_started_again(tmp_path: Path) -> None:
    """A program that has run once is tried until it exists again."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    with supervised(tmp_path, "--", str(program), program=impatient(free=tmp_path)) as starter:
        former = child_of(tmp_path)
        program.rename(tmp_path / "elsewhere")
        os.kill(former, signal.SIGKILL)
        eventually(lambda: reports(tmp_path).count("failing") > 1, "it was not tried often enough")

        (tmp_path / "elsewhere").rename(program)

        child_of(tmp_path, other_than=former)
        stops_at_once(starter)


def test_on_a_full_disk_a_command_that_keeps_dying_is_not_given_up(tmp_path: Path) -> None:
    """It may die because the disk is full, so it is tried until there is room."""
    room = tmp_path / "room"
    lives_with_room = ("--", "sh", "-c", f"test -e {room} || exit 1; exec sleep 60")
    with supervised(tmp_path, *lives_with_room, program=impatient(free=room)) as starter:
        eventually(lambda: "failing" in reports(tmp_path), "it did not fail often enough")
        assert starter.poll() is None

        room.touch()

        supervisor = supervisor_under(starter)
        eventually(
            lambda: any(child.name() == "sleep" for child in supervisor.children()),
            "it did not start",
        )
        assert "gave_up" not in reports(tmp_path)
        stops_at_once(starter)


def closed() -> None:
    os.close(1)


def full_pipe() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    os.dup2(writing, 1)
    os.dup2(reading, 0)  # a reader that does not read


def pipe_without_reader() -> None:
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.close(reading)


def full_file() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


@pytest.mark.parametrize("output", [closed, full_pipe, pipe_without_reader, full_file])
def test_output_without_a_reader_blocks_nothing(tmp_path: Path, output: Callable[[], None]) -> None:
    """A restart is reported in the file if standard output is closed, full or has no reader."""
    with supervised(tmp_path, *SLEEPER, preexec_fn=output) as starter:
        former = child_of(tmp_path)
        os.kill(former, signal.SIGKILL)

        child_of(tmp_path, other_than=former)
        eventually(lambda: reports(tmp_path) == ["restarted"], "the restart was not reported")
        stops_at_once(starter)
