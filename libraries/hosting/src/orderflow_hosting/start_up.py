"""The start of a process: what it needs is waited for, but not for ever."""

import time
from collections.abc import Callable
from typing import Final

import structlog

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

START_SECONDS: Final = 300.0
PROGRESS_SECONDS: Final = 5.0
"""How often the log says what is still missing."""


class NotStarted(Exception):
    """Something that the process needs has not become available in time."""


class Patience:
    """How long a start may still wait, and when the log says next what it waits for."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began_at = clock()
        self._logged_at = self._began_at

    def missing(self, what: str, why: str) -> None:
        """Log what is missing, at intervals. Raises `NotStarted` when the time is up."""
        at = self._clock()
        waited = at - self._began_at
        if waited >= self._seconds:
            raise NotStarted(f"{what} is not available after {self._seconds:g} s: {why}")
        if at - self._logged_at >= PROGRESS_SECONDS:
            self._logged_at = at
            seconds, left = round(waited), round(self._seconds - waited)
            log.warning("start_waits", waits_for=what, why=why, seconds=seconds, seconds_left=left)
