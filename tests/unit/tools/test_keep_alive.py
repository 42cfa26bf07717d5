import os
import signal
import sys
from pathlib import Path

import pytest

from fakes.supervised import SLEEPER, child_of, eventually, gone, number_in, supervised
from orderflow_tools.supervision import signals, supervisor


def test_a_command_that_dies_is_started_again_and_reported(tmp_path: Path) -> None:
    """One line has its name, what ended it, and that it was started again."""
    with supervised(tmp_path, *SLEEPER) as starter:
        first = child_of(tmp_path)

        os.kill(first, signal.SIGKILL)
        second = child_of(tmp_path, other_than=first)

        assert starter.stdout
        line = starter.stdout.readline()
    assert line == f"thing was killed by SIGKILL; started again as process {second}\n"


def test_a_stop_is_passed_on(tmp_path: Path) -> None:
    """SIGTERM reaches the command, which can end cleanly; nothing is left behind."""
    script = "import signal,sys\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\n"
    script += "print('up', flush=True)\nsignal.pause()"
    with supervised(tmp_path, "--", sys.executable, "-c", script) as starter:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")

        starter.terminate()

        assert starter.wait(10) == 0
    assert log.read_text() == "up\nbye\n"
    assert not list((tmp_path / "run").glob("thing.*"))


def test_a_command_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """The grace ends with SIGKILL."""
    script = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up', flush=True)\n"
    script += "while True: signal.pause()"
    with supervised(tmp_path, "--grace", "0.2", "--", sys.executable, "-c", script) as starter:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")
        child = child_of(tmp_path)

        starter.terminate()

        assert starter.wait(10) == 0
    assert gone(child)


def test_a_killed_starter_leaves_nothing(tmp_path: Path) -> None:
    """`dapr run` kills its children with SIGKILL, and the command still ends."""
    with supervised(tmp_path, *SLEEPER) as starter:
        child = child_of(tmp_path)

        starter.kill()

        eventually(lambda: gone(child), "the command outlived its starter")
        eventually(
            lambda: not (tmp_path / "run" / "thing.keeper").exists(), "the supervisor did not end"
        )


def test_a_killed_supervisor_leaves_nothing(tmp_path: Path) -> None:
    """If the supervisor itself is killed, the kernel kills the command."""
    with supervised(tmp_path, *SLEEPER) as process:
        child = child_of(tmp_path)

        os.kill(number_in(tmp_path / "run" / "thing.keeper") or 0, signal.SIGKILL)

        assert process.wait(10) != 0
        eventually(lambda: gone(child), "the command outlived its supervisor")
    assert not list((tmp_path / "run").glob("thing.*"))


def test_a_command_that_cannot_start_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    """The reason why a command does not start is shown within seconds."""
    with supervised(tmp_path, "--", "sh", "-c", "echo no such setting; exit 3") as starter:
        output, _ = starter.communicate(timeout=20)

    assert starter.returncode == supervisor.GAVE_UP
    assert "thing does not start: ended with exit code 3, 4 times in a row" in output
    assert output.endswith("no such setting\n")


def test_a_wrong_configuration_is_reported_at_once(tmp_path: Path) -> None:
    """A command whose exit code means a wrong configuration is tried once."""
    script = "echo cannot start: ORDERS_FOO; exit 78"
    with supervised(tmp_path, "--", "sh", "-c", script) as starter:
        output, _ = starter.communicate(timeout=20)

    assert starter.returncode == supervisor.GAVE_UP
    assert output == (
        "thing does not start because its configuration is wrong\ncannot start: ORDERS_FOO\n"
    )
    assert (tmp_path / "logs" / "thing.log").read_text() == "cannot start: ORDERS_FOO\n"


def test_a_missing_command_is_reported_within_seconds(tmp_path: Path) -> None:
    """A program that has never existed is not tried for long."""
    with supervised(tmp_path, "--", "no-such-program") as starter:
        output, _ = starter.communicate(timeout=20)

    assert starter.returncode == supervisor.NOT_STARTED
    assert "thing cannot be started" in output
    assert "no-such-program" in output


def test_the_pause_grows_to_a_few_seconds() -> None:
    """The first restart is quick; a command that keeps dying does not overload the machine."""
    pauses = [supervisor.pause_before(deaths) for deaths in range(1, 9)]

    assert pauses[0] < 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == supervisor.LONGEST_PAUSE


def test_an_end_is_described_in_words() -> None:
    """A return code alone would mean little to a person."""
    assert signals.describe_end(1) == "ended with exit code 1"
    assert signals.describe_end(-signal.SIGSEGV) == "was killed by SIGSEGV"


def test_a_late_supervisor_leaves_its_successors_files_alone(tmp_path: Path) -> None:
    """A supervisor that ends after the next one has started removes only its own files."""
    may_end = tmp_path / "may-end"
    script = f"import os,signal,time\ndef wait():\n while not os.path.exists({str(may_end)!r}):\n"
    script += "  time.sleep(0.01)\nsignal.signal(15, lambda *_: wait() or exit())\n"
    script += "print('up', flush=True)\nsignal.pause()"
    with supervised(tmp_path, "--", sys.executable, "-c", script) as first:
        log = tmp_path / "logs" / "thing.log"
        eventually(lambda: log.exists() and "up" in log.read_text(), "the command did not start")
        late = child_of(tmp_path)
        first.terminate()
        with supervised(tmp_path, *SLEEPER):
            successor = child_of(tmp_path, other_than=late)

            may_end.touch()
            first.wait(10)

            assert number_in(tmp_path / "run" / "thing.pid") == successor
            assert (tmp_path / "run" / "thing.keeper").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    tmp_path: Path, number: signal.Signals
) -> None:
    """What nohup or a background script has ignored is ignored by supervisor and command."""

    def ignore() -> None:
        signal.signal(number, signal.SIG_IGN)

    with supervised(tmp_path, *SLEEPER, preexec_fn=ignore) as starter:
        child = child_of(tmp_path)
        supervisor_pid = number_in(tmp_path / "run" / "thing.keeper") or 0
        for pid in (starter.pid, supervisor_pid, child):
            os.kill(pid, number)
        os.kill(child, signal.SIGKILL)

        child_of(tmp_path, other_than=child)  # started again, so nobody is stopping
        starter.terminate()

        assert starter.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_closed_terminal_and_ctrl_c_stop_the_command(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Unless they were ignored, these signals end everything cleanly."""

    def restore() -> None:
        signal.signal(number, signal.SIG_DFL)

    with supervised(tmp_path, *SLEEPER, preexec_fn=restore) as starter:
        child = child_of(tmp_path)

        starter.send_signal(number)

        assert starter.wait(10) == 0
        assert gone(child)
