"""Signals: which of them ask a process to stop, and which one ended a process."""

import ctypes
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """Return a function that asks Linux to signal the calling process when its parent ends.

    Elsewhere the function does nothing.
    """
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def stop_signals() -> list[signal.Signals]:
    """Return the signals that ask this process to stop.

    A signal that the parent process ignored stays ignored: SIGHUP under nohup, and SIGINT for what
    a shell script starts in the background. SIGTERM always counts, since it stops a run.
    """
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    return [
        number
        for number in signals
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    ]


def describe_end(code: int) -> str:
    """Describe how a process ended, from the return code that `subprocess` gives.

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
