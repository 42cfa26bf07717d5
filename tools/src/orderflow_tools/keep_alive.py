"""Start a command and keep it alive, with nothing but Python's standard library.

    keep-alive NAME [--home DIR] [--directory DIR] [--grace SECONDS] -- COMMAND [ARGUMENT ...]

Nothing that the machine does to it ends the keeper: where a disk is full, a folder is gone or no
process can be started, it tries again after a pause until that works.

The command's output is appended to HOME/logs/NAME.log, its process id stands in HOME/run/NAME.pid
while it lives, and the keeper's own in HOME/run/NAME.keeper. When the command dies it is started
again, after a short pause that grows to a few seconds, and one line says so: on standard output and
in HOME/run/reports.jsonl. SIGTERM, SIGINT and SIGHUP stop the command: it is asked first, and
killed after the grace. SIGINT and SIGHUP are left alone where they were ignored from the start.

Two processes do this. The one that was started only waits and passes signals on, for whoever
started it may kill it at any moment (`dapr run` kills its children with SIGKILL when it ends). The
keeper, in a session of its own, sees by the end of a pipe that the first is gone, and then stops
the command in good order. Where even the keeper is killed, Linux kills the command.
"""

import argparse
import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final

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

ROOM: Final = 16_000_000
"""Bytes that must be free on the run's disk for a death to be the command's own fault."""
REPORTS_LATER: Final = 20
"""So many reports that cannot be written are remembered, to be written when they can."""

GAVE_UP: Final = 70
"""The exit code when the command does not stay alive."""
NOT_CONFIGURED: Final = os.EX_CONFIG
"""The exit code of a command that cannot start as it is configured: another try would not help."""
NOT_STARTED: Final = 127
"""The exit code when the command cannot be started at all."""

_PR_SET_PDEATHSIG: Final = 1
_TROUBLE: Final = (OSError, MemoryError, subprocess.SubprocessError)
"""What a machine without disk, memory, processes or file handles to spare raises."""
_OWN_FAULT: Final = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.ENOEXEC,
    errno.ELOOP,
}
"""Errors of a start that say that the command is wrong, if it has never been started."""


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


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop.

    What whoever started it has ignored stays ignored: SIGHUP under nohup, and SIGINT for what a
    shell script starts in the background. SIGTERM always counts, since it is how a run is stopped.
    """
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return [
        number
        for number in signals
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    ]


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
    try:
        draft.write_text(text)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def remove_own(path: Path, pid: int) -> bool:
    """Remove a pid file if it still holds this id, and not that of a successor; tell whether."""
    try:
        own = path.read_text() == f"{pid}\n"
        if own:
            path.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError):
        return False
    return own


def print_if_read(text: str) -> None:
    """Print a text as far as whoever started this reads it: it may be gone, or busy for long."""
    data = f"{text}\n".encode(errors="replace")
    with contextlib.suppress(OSError):
        for begin in range(0, len(data), select.PIPE_BUF):
            if not select.select([], [1], [], 0)[1]:
                return
            os.write(1, data[begin : begin + select.PIPE_BUF])


class Keeper:
    """Starts the command, waits for its end, and starts it again, until it is told to stop."""

    def __init__(self, task: Task, lifeline: int) -> None:
        self._task = task
        self._lifeline = lifeline
        self._stopping = False
        self._started = False
        self._settled = False
        self._offset = 0
        self._records: dict[Path, int] = {}
        self._written: set[Path] = set()
        self._unreported: deque[str] = deque(maxlen=REPORTS_LATER)
        self._wake, notify = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
        for number in stop_signals():
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._mark_child = die_with_parent(signal.SIGKILL)

    def run(self) -> int:
        """Keep the command alive, and return the exit code for this process."""
        self._set_old_log_aside()
        self._records[self._task.keeper_file] = os.getpid()
        try:
            return self._keep()
        finally:
            remove_own(self._task.keeper_file, os.getpid())

    def _keep(self) -> int:
        refusals = failures = deaths = 0
        ending = ""
        while not self._stopping:
            begun = time.monotonic()
            try:
                child = self._start()
            except _TROUBLE as error:
                refusals += 1
                deaths += 1
                if self._is_wrong(error, refusals):
                    return NOT_STARTED
                self._sleep(pause_before(deaths))
                continue
            refusals = 0
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
        return 0

    def _is_wrong(self, error: Exception, refusals: int) -> bool:
        """Report that a start has failed, and return whether trying again is useless."""
        number = error.errno if isinstance(error, OSError) else None
        own_fault = number in _OWN_FAULT and not self._started
        if own_fault and refusals >= PATIENCE and self._report_end(f"cannot be started: {error}"):
            return True
        if not own_fault and refusals % PATIENCE == 1:
            self._report("failing", f"cannot be started: {error!r}; it is tried again")
        return False

    def _give_up(self, ending: str, failures: int) -> bool:
        """Report that the command keeps dying; return whether to give it up.

        It is not given up if it once lived, or if the disk is full, which is no fault of it.
        """
        times = f"{ending}, {failures} times in a row within {QUICK_DEATH:.0f} s of its start"
        hopeless = not self._settled and not self._is_disk_full()
        if hopeless and self._report_end(f"does not start: {times}", tail=True):
            return True
        self._report("failing", f"{times}; it is tried again", tail=True)
        return False

    def _is_disk_full(self) -> bool:
        try:
            disk = os.statvfs(self._task.home)
        except OSError:
            return True
        return disk.f_bavail * disk.f_frsize < ROOM or 0 == disk.f_favail < disk.f_files

    def _stopped(self) -> bool:
        return self._stopping

    def _start(self) -> "subprocess.Popen[bytes]":
        self._catch_up()
        with self._open_log() as log:
            child = subprocess.Popen(
                self._task.command,
                cwd=self._task.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=self._mark_child,  # noqa: PLW1509 - this process has one thread
            )
        self._started = True
        self._records[self._task.pid_file] = child.pid
        self._written.discard(self._task.pid_file)
        self._catch_up()
        return child

    def _open_log(self) -> IO[bytes]:
        """Open the log, or nothing where that fails: to run without a log is better than not to."""
        try:
            self._task.log.parent.mkdir(parents=True, exist_ok=True)
            log = self._task.log.open("ab")
        except OSError as error:
            self._report("failing", f"has no log: {error}")
            return Path(os.devnull).open("ab")
        self._offset = log.tell()
        return log

    def _catch_up(self) -> None:
        """Write what could not be written before, or has been removed: ids and reports."""
        for path, pid in self._records.items():
            with contextlib.suppress(*_TROUBLE):
                if path not in self._written or not path.exists():
                    write_atomically(path, f"{pid}\n")
                    self._written.add(path)
        while self._unreported and self._write_report(self._unreported[0]):
            self._unreported.popleft()

    def _wait_for(self, child: "subprocess.Popen[bytes]") -> int:
        """Return the child's return code; stop it when this process is told to stop."""
        try:
            while (code := child.poll()) is None:
                self._wait(LONGEST_PAUSE)
                if self._stopping:
                    return self._stop(child)
                self._catch_up()
            return code
        finally:
            del self._records[self._task.pid_file]
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

    def _wait(self, seconds: float) -> None:
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
        with contextlib.suppress(OSError):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_name(f"{log.name}.1"))

    def _tail(self) -> str:
        """Return the last lines that the command wrote in its last life, if they can be read."""
        lines: list[str] = []
        with contextlib.suppress(OSError), self._task.log.open("rb") as log:
            log.seek(self._offset)
            lines = log.read()[-20_000:].decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def _report(self, event: str, text: str, *, tail: bool = False) -> None:
        """Report what happened, on standard output and, as soon as possible, in the run's file."""
        report = self._say(event, text, tail=tail)
        if self._unreported or not self._write_report(report):
            self._unreported.append(report)

    def _report_end(self, text: str, *, tail: bool = False) -> bool:
        """Report that the command is given up; return whether that is written."""
        return self._write_report(self._say("gave_up", text, tail=tail))

    def _say(self, event: str, text: str, *, tail: bool) -> str:
        end = self._tail() if tail else ""
        print_if_read(f"{self._task.name} {text}{chr(10) + end if end else ''}")
        return json.dumps({"name": self._task.name, "event": event, "text": text, "tail": end})

    def _write_report(self, report: str) -> bool:
        try:
            with (self._task.home / "run" / "reports.jsonl").open("a") as reports:
                # On a line of its own, even after a part of one that a full disk has cut off.
                reports.write(f"\n{report}\n")
        except _TROUBLE:
            return False
        return True


def fork(stops: Iterable[signal.Signals]) -> int | None:
    """Fork as soon as the machine allows it; None if one of these blocked signals comes first."""
    while True:
        try:
            return os.fork()
        except OSError:
            time.sleep(FIRST_PAUSE)
            if signal.sigpending() & set(stops):
                return None


def keep(task: Task) -> int:
    """Fork the keeper, pass signals on to it, and return its exit code."""
    lifeline, held = os.pipe()  # the second end stays open for as long as this process lives
    starter = os.getppid()
    stops = stop_signals()
    blocked = {*stops, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    keeper = fork(stops)
    if keeper is None:
        return 0
    if keeper == 0:
        os.close(held)
        os.setsid()
        watch = Keeper(task, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        return watch.run()
    os.close(lifeline)

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        os.kill(keeper, signal.SIGTERM)

    def starter_ended(number: int, frame: FrameType | None) -> None:
        # Linux also signals the end of the starter's thread alone: that is no reason to stop.
        if os.getppid() != starter:
            pass_on(number, frame)

    for number in stops:
        signal.signal(number, pass_on)
    signal.signal(signal.SIGUSR1, starter_ended)
    die_with_parent(signal.SIGUSR1)()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    if os.getppid() != starter:
        os.kill(keeper, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    # A keeper that was killed could not clear up after itself.
    if remove_own(task.keeper_file, keeper):
        with contextlib.suppress(OSError):
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


def occupy_standard_files() -> None:
    """Open what is closed of standard input, output and error, so that no other file becomes it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        pass
    os.close(number)


if __name__ == "__main__":
    occupy_standard_files()
    code = keep(read_task(sys.argv[1:]))
    sys.exit(code if code >= 0 else 128 - code)
