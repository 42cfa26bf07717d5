"""The process that starts a supervisor, waits for it, and passes signals on to it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from types import FrameType

from orderflow_tools.supervision import supervisor
from orderflow_tools.supervision.pid_files import remove_own
from orderflow_tools.supervision.signals import die_with_parent, stop_signals
from orderflow_tools.supervision.supervisor import Supervisor
from orderflow_tools.supervision.task import Task


def keep(task: Task) -> int:
    """Fork the supervisor, pass signals on to it, and return its exit code."""
    lifeline, held = os.pipe()  # the write end stays open for as long as this process lives
    parent = os.getppid()
    stops = stop_signals()
    blocked = {*stops, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    pid = fork(stops)
    if pid is None:
        return 0
    if pid == 0:
        os.close(held)
        os.setsid()
        watch = Supervisor(task, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        return watch.run()
    os.close(lifeline)
    _pass_signals_on(pid, parent, stops)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
    if os.getppid() != parent:
        os.kill(pid, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # A supervisor that was killed could not remove its files.
    if remove_own(task.keeper_file, pid):
        with contextlib.suppress(OSError):
            task.pid_file.unlink(missing_ok=True)
    return code


def fork(stops: Iterable[signal.Signals]) -> int | None:
    """Fork as soon as the machine allows it; None if one of these blocked signals comes first."""
    while True:
        try:
            return os.fork()
        except OSError:
            time.sleep(supervisor.FIRST_PAUSE)
            if signal.sigpending() & set(stops):
                return None


def _pass_signals_on(pid: int, parent: int, stops: Iterable[signal.Signals]) -> None:
    """Stop the supervisor at a signal to stop, and at the end of this process's parent."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        os.kill(pid, signal.SIGTERM)

    def parent_ended(number: int, frame: FrameType | None) -> None:
        # Linux signals the end of the parent's thread as well, which is no reason to stop.
        if os.getppid() != parent:
            pass_on(number, frame)

    for number in stops:
        signal.signal(number, pass_on)
    signal.signal(signal.SIGUSR1, parent_ended)
    die_with_parent(signal.SIGUSR1)()
