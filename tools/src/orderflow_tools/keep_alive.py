"""Start a command and keep it alive, with nothing but Python's standard library.

    keep-alive NAME [--home DIR] [--directory DIR] [--grace SECONDS] -- COMMAND [ARGUMENT ...]

The command's output is appended to HOME/logs/NAME.log, its process id stands in HOME/run/NAME.pid
while it lives, and the keeper's own in HOME/run/NAME.keeper. When the command dies it is started
again, after a short pause that grows to a few seconds, and one line says so: on standard output and
in HOME/run/reports.jsonl. SIGTERM and SIGINT stop the command: it is asked first, and killed after
the grace.

Two processes do this. The one that was started only waits and passes signals on, for whoever
started it may kill it at any moment (`dapr run` kills its children with SIGKILL when it ends). The
keeper, in a session of its own, sees by the end of a pipe that the first is gone, and then stops
the command in good order. Where even the keeper is killed, Linux kills the command.
"""

import argparse
import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

QUICK_DEATH: Final = 5.0
"""Seconds within which a death counts as a failure to start."""
PATIENCE: Final = 4
"""So many failures to start in a row mean that starting again will not help."""
SETTLED: Final = 10.0
"""Seconds after which a command has shown that it can live: it is then started again for ever."""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
LOG_LIMIT: Final = 20_000_000
"""Bytes beyond which a log is set aside (as NAME.log.1) when its command is first started."""
TAIL_LINES: Final = 15

GAVE_UP: Final = 70
"""The exit code when the command does not stay alive."""
NOT_CONFIGURED: Final = os.EX_CONFIG
"""The exit code of a command that cannot start as it is configured: another try would not help."""
NOT_STARTED: Final = 127
"""The exit code when the command cannot be started at all."""

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Task:
    """What is to be kept alive, and where its traces go."""

    name: str
    command: tuple[str, ...]
    home: Path
    directory: Path
    grace: float

    @property
    def log(self) -> Path:
        """The file to which the command's output is appended."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """The file that holds the command's process id while it lives."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def keeper_file(self) -> Path:
        """The file that holds the keeper's process id while it lives."""
        return self.home / "run" / f"{self.name}.keeper"


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """Return what asks Linux to signal the calling process when its parent ends; else nothing."""
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def pause_before(deaths: int) -> float:
    """Return the seconds to wait before the start that follows so many deaths in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, deaths - 1)))


def describe_end(code: int) -> str:
    """Say in words how a process ended, from the return code that `subprocess` gives.

    >>> describe_end(-9)
    'was killed by SIGKILL'
    >>> describe_end(1)
    'ended with exit code 1'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def remove_own(path: Path, pid: int) -> bool:
    """Remove a pid file if it still holds this id, and not that of a successor; tell whether."""
    try:
        own = path.read_text() == f"{pid}\n"
    except FileNotFoundError:
        return False
    if own:
        path.unlink(missing_ok=True)
    return own


class Keeper:
    """Starts the command, waits for its end, and starts it again, until it is told to stop."""

    def __init__(self, task: Task, lifeline: int) -> None:
        self._task = task
        self._lifeline = lifeline
        self._stopping = False
        self._settled = False
        self._offset = 0
        self._wake, notify = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._mark_child = die_with_parent(signal.SIGKILL)

    def run(self) -> int:
        """Keep the command alive, and return the exit code for this process."""
        for folder in (self._task.log.parent, self._task.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._set_old_log_aside()
        write_atomically(self._task.keeper_file, f"{os.getpid()}\n")
        try:
            return self._keep()
        finally:
            remove_own(self._task.keeper_file, os.getpid())

    def _keep(self) -> int:
        failures = deaths = 0
        ending = ""
        while True:
            begun = time.monotonic()
            try:
                child = self._start()
            except OSError as error:
                self._report("gave_up", f"cannot be started: {error}")
                return NOT_STARTED
            if ending:
                self._report("restarted", f"{ending}; started again as process {child.pid}")
            code = self._wait_for(child)
            if self._stopped():
                return 0
            lived, ending = time.monotonic() - begun, describe_end(code)
            if code == NOT_CONFIGURED and not self._settled:
                self._report("gave_up", "does not start as it is configured", tail=True)
                return GAVE_UP
            self._settled = self._settled or lived >= SETTLED
            deaths = 1 if lived >= SETTLED else deaths + 1
            # To be killed from outside says nothing about whether the command can start.
            outside = -code in (signal.SIGKILL, signal.SIGTERM)
            failures = failures + 1 if lived < QUICK_DEATH and not outside else 0
            if failures and failures % PATIENCE == 0 and self._give_up(ending, failures):
                return GAVE_UP
            self._sleep(pause_before(deaths))
            if self._stopped():
                return 0

    def _give_up(self, ending: str, failures: int) -> bool:
        """Tell that the command keeps dying, and whether to give it up: not if it once lived."""
        times = f"{ending}, {failures} times in a row within {QUICK_DEATH:.0f} s of its start"
        if self._settled:
            self._report("failing", f"{times}; it is tried again", tail=True)
        else:
            self._report("gave_up", f"does not start: {times}", tail=True)
        return not self._settled

    def _stopped(self) -> bool:
        return self._stopping

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._task.log.open("ab") as log:
            self._offset = log.tell()
            child = subprocess.Popen(
                self._task.command,
                cwd=self._task.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=self._mark_child,  # noqa: PLW1509 - this process has one thread
            )
        write_atomically(self._task.pid_file, f"{child.pid}\n")
        return child

    def _wait_for(self, child: "subprocess.Popen[bytes]") -> int:
        """Return the child's return code; stop it when this process is told to stop."""
        try:
            while (code := child.poll()) is None:
                self._wait(None)
                if self._stopping:
                    return self._stop(child)
            return code
        finally:
            remove_own(self._task.pid_file, child.pid)

    def _stop(self, child: "subprocess.Popen[bytes]") -> int:
        child.terminate()
        try:
            code = child.wait(self._task.grace)
        except subprocess.TimeoutExpired:
            self._report("killed", f"did not end within {self._task.grace:.0f} s and was killed")
            child.kill()
            code = child.wait()
        # Whatever the command had started and left in its group goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        return code

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self._wait(left)

    def _wait(self, seconds: float | None) -> None:
        """Wait for a signal, for the end of the first process, or for so many seconds."""
        watched = [self._wake] if self._stopping else [self._wake, self._lifeline]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
        if self._lifeline in ready:
            self._stopping = True

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _set_old_log_aside(self) -> None:
        log = self._task.log
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))

    def _tail(self) -> str:
        """Return the last lines that the command wrote in its last life."""
        with self._task.log.open("rb") as log:
            log.seek(self._offset)
            lines = log.read()[-20_000:].decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _report(self, event: str, text: str, *, tail: bool = False) -> None:
        """Tell, on standard output and in the reports of the run, what happened."""
        end = self._tail() if tail else ""
        report = {"name": self._task.name, "event": event, "text": text, "tail": end}
        where = self._task.home / "run" / "reports.jsonl"
        with where.open("a") as reports:
            reports.write(json.dumps(report) + "\n")
        # Whoever started this may be gone, and its end of the pipe with it.
        with contextlib.suppress(OSError):
            print(f"{self._task.name} {text}{chr(10) + end if end else ''}", flush=True)


def keep(task: Task) -> int:
    """Fork the keeper, pass signals on to it, and return its exit code."""
    lifeline, held = os.pipe()  # the second end stays open for as long as this process lives
    starter = os.getppid()
    stops = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        os.setsid()
        watch = Keeper(task, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
        return watch.run()
    os.close(lifeline)

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        os.kill(keeper, signal.SIGTERM)

    def starter_ended(number: int, frame: FrameType | None) -> None:
        # Linux also signals the end of the starter's thread alone: that is no reason to stop.
        if os.getppid() != starter:
            pass_on(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGUSR1, starter_ended)
    die_with_parent(signal.SIGUSR1)()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)
    if os.getppid() != starter:
        os.kill(keeper, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    # A keeper that was killed could not clear up after itself.
    if remove_own(task.keeper_file, keeper):
        task.pid_file.unlink(missing_ok=True)
    return code


def read_task(arguments: Sequence[str]) -> Task:
    """Read the command line."""
    checkout = Path(__file__).resolve().parents[3]
    home = os.environ.get("ORDERFLOW_HOME") or str(checkout / ".orderflow")
    parser = argparse.ArgumentParser(prog="keep-alive", description="Keep a command alive.")
    parser.add_argument("name", help="what the log and the pid file are called")
    parser.add_argument("--home", type=Path, default=Path(home), help="default: ORDERFLOW_HOME")
    parser.add_argument("--directory", type=Path, default=Path.cwd(), help="where to start it")
    parser.add_argument("--grace", type=float, default=15.0, help="seconds between TERM and KILL")
    parser.add_argument("command", nargs="+", help="the command, after --")
    read = parser.parse_args(arguments)
    return Task(
        name=read.name,
        command=tuple(read.command),
        home=read.home.resolve(),
        directory=read.directory.resolve(),
        grace=read.grace,
    )


if __name__ == "__main__":
    # What it passes on of a log may have characters that its output has not.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = keep(read_task(sys.argv[1:]))
    sys.exit(code if code >= 0 else 128 - code)
