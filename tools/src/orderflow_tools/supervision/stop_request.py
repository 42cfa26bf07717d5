"""Waits that end as soon as the supervisor is asked to stop."""

import contextlib
import os
import select
import signal
import time
from types import FrameType

from orderflow_tools.supervision.signals import stop_signals


class StopRequest:
    """Whether this process was asked to stop: by a signal, or because its starter has ended.

    `lifeline` is the read end of a pipe that the starter holds open. Signals are handled from the
    construction of this object on.
    """

    def __init__(self, lifeline: int) -> None:
        self._lifeline = lifeline
        self._stopping = False
        self._wake, notify = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(notify, False)
        signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
        for number in stop_signals():
            signal.signal(number, self._ask)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def is_made(self) -> bool:
        """Return whether this process was asked to stop."""
        return self._stopping

    def sleep(self, seconds: float) -> None:
        """Wait for this many seconds, or until asked to stop."""
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            self.wait(left)

    def wait(self, seconds: float) -> None:
        """Wait for a signal, for the end of the starter or of the command, or for the seconds."""
        watched = [self._wake] if self._stopping else [self._wake, self._lifeline]
        ready, _, _ = select.select(watched, [], [], seconds)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4096)
        if self._lifeline in ready:
            self._stopping = True

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
