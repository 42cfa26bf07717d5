"""Ctrl-C for commands that make has started, or that must not be interrupted."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orderflow_tools.supervision.signals import stop_signals


@contextmanager
def foreground() -> Iterator[None]:
    """Be alone in the terminal's foreground for the duration of the block.

    The terminal sends Ctrl-C to every process in its foreground. make, which waits for this
    process, would then end with an error even if this process succeeds.
    """
    former = os.getpgrp()
    if former == os.getpid() or not _is_in_foreground(former):
        yield
        return
    # After Ctrl-Z only the shell could continue this process, but it would not notice the stop.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    with contextlib.suppress(OSError):  # the terminal may be closed at any moment
        os.tcsetpgrp(0, os.getpgrp())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, former)


def _is_in_foreground(group: int) -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == group
    except OSError:
        return False


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore signals to stop for the duration of the block, which must not be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = stop_signals()
    former = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, former, strict=True):
            signal.signal(number, handler)
