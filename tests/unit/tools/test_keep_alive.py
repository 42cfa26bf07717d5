import os
import signal
import sys
from pathlib import Path

import pytest

from fakes.keeping import SLEEPER, child_of, eventually, gone, kept, number_in
from orderflow_tools.supervision import signals, supervisor


def test_a_command_that_dies_is_started_again_and_one_line_says_so(tmp_path: Path) -> None:
    """Name, what ended it, and that it was started again: in one line."""
    with kept(tmp_path, *SLEEPER) as keeper:
        first = child_of(tmp_path)

        os.kill(first, signal.SIGKILL)
        second = child_of(tmp_path, other_than=first)

        assert keeper.stdout
        told = keeper.stdout.readline()
    assert told == f"thing was killed by SIGKILL; started again as process {second}\n"


def test_a_stop_is_passed_on_and_ends_well(tmp_path: Path) -> None:
    """SIGTERM reaches the command, which may end in its own way; nothing is left behind."""
    script = "import signal,sys\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\n"
    script += "print('up', flush=True)\nsignal.pause()"
    with kept(tmp_path, "--", sys.executable, "-c", script) as keeper:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")

        keeper.terminate()

        assert keeper.wait(10) == 0
    assert log.read_text() == "up\nbye\n"
    assert not list((tmp_path / "run").glob("thing.*"))


def test_a_command_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """After the grace, patience ends."""
    script = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\n"
    script += "while True: signal.pause()"
    with kept(tmp_path, "--grace", "0.2", "--", sys.executable, "-c", script) as keeper:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")
        child = child_of(tmp_path)

        keeper.terminate()

        assert keeper.wait(10) == 0
    assert gone(child)


def test_a_killed_starter_leaves_nothing(tmp_path: Path) -> None:
    """`dapr run` kills what it started with SIGKILL: the command ends all the same."""
    with kept(tmp_path, *SLEEPER) as keeper:
        child = child_of(tmp_path)

        keeper.kill()

        eventually(lambda: gone(child), "the command outlived its starter")
        eventually(lambda: not (tmp_path / "run" / "thing.keeper").exists(), "the keeper stayed")


def test_a_killed_keeper_leaves_nothing(tmp_path: Path) -> None:
    """Where the keeper itself is killed, the kernel kills the command."""
    with kept(tmp_path, *SLEEPER) as process:
        child = child_of(tmp_path)

        os.kill(number_in(tmp_path / "run" / "thing.keeper") or 0, signal.SIGKILL)

        assert process.wait(10) != 0
        eventually(lambda: gone(child), "the command outlived its keeper")
    assert not list((tmp_path / "run").glob("thing.*"))


def test_a_command_that_cannot_start_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    """Someone who starts a broken thing learns why within seconds."""
    with kept(tmp_path, "--", "sh", "-c", "echo no such setting; exit 3") as keeper:
        told, _ = keeper.communicate(timeout=20)

    assert keeper.returncode == supervisor.GAVE_UP
    assert "thing does not start: ended with exit code 3, 4 times in a row" in told
    assert told.endswith("no such setting\n")


def test_a_wrong_configuration_is_reported_at_once(tmp_path: Path) -> None:
    """A command that says by its exit code that its configuration is wrong is tried once."""
    script = "echo cannot start: ORDERS_FOO; exit 78"
    with kept(tmp_path, "--", "sh", "-c", script) as keeper:
        told, _ = keeper.communicate(timeout=20)

    assert keeper.returncode == supervisor.GAVE_UP
    assert told == "thing does not start as it is configured\ncannot start: ORDERS_FOO\n"
    assert (tmp_path / "logs" / "thing.log").read_text() == "cannot start: ORDERS_FOO\n"


def test_a_missing_command_is_said_within_seconds(tmp_path: Path) -> None:
    """A program that does not exist, and never did, is not tried for long."""
    with kept(tmp_path, "--", "no-such-program") as keeper:
        told, _ = keeper.communicate(timeout=20)

    assert keeper.returncode == supervisor.NOT_STARTED
    assert "thing cannot be started" in told
    assert "no-such-program" in told


def test_the_pause_grows_to_a_few_seconds() -> None:
    """The first restart is quick; a command that keeps dying does not take the machine."""
    pauses = [supervisor.pause_before(deaths) for deaths in range(1, 9)]

    assert pauses[0] < 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == supervisor.LONGEST_PAUSE


def test_an_end_is_told_in_words() -> None:
    """A return code is for machines."""
    assert signals.describe_end(1) == "ended with exit code 1"
    assert signals.describe_end(-signal.SIGSEGV) == "was killed by SIGSEGV"


def test_a_late_keeper_leaves_its_successors_files_alone(tmp_path: Path) -> None:
    """A keeper that ends after the next one has begun removes what is its own only."""
    script = "import signal,time\nsignal.signal(15, lambda *_: time.sleep(1) or exit())\n"
    script += "print('up', flush=True)\nsignal.pause()"
    with kept(tmp_path, "--", sys.executable, "-c", script) as first:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")
        late = child_of(tmp_path)
        first.terminate()
        with kept(tmp_path, *SLEEPER):
            successor = child_of(tmp_path, other_than=late)

            first.wait(10)

            assert number_in(tmp_path / "run" / "thing.pid") == successor
            assert (tmp_path / "run" / "thing.keeper").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    tmp_path: Path, number: signal.Signals
) -> None:
    """What nohup or a script's background has chosen holds for the keeper and its command."""

    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    with kept(tmp_path, *SLEEPER, preexec_fn=ignore) as starter:
        child = child_of(tmp_path)
        keeper = number_in(tmp_path / "run" / "thing.keeper") or 0
        for pid in (starter.pid, keeper, child):
            os.kill(pid, number)
        os.kill(child, signal.SIGKILL)

        child_of(tmp_path, other_than=child)  # started again, so nobody is stopping
        starter.terminate()

        assert starter.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_closed_terminal_and_ctrl_c_stop_the_command(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Where nobody has chosen otherwise, these signals end everything in good order."""

    def restore() -> None:
        signal.signal(number, signal.SIG_DFL)

    with kept(tmp_path, *SLEEPER, preexec_fn=restore) as starter:
        child = child_of(tmp_path)

        starter.send_signal(number)

        assert starter.wait(10) == 0
        assert gone(child)
