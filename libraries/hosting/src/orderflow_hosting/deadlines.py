"""Deadlines for the calls of gRPC stubs, which by themselves wait for ever."""

from functools import partial
from typing import Any


class WithDeadline:
    """A stub whose calls each end within so many seconds, unless the call says otherwise.

    A call that takes longer fails with the status `DEADLINE_EXCEEDED`.
    """

    def __init__(self, stub: Any, seconds: float) -> None:
        self._stub = stub
        self._seconds = seconds

    def __getattr__(self, method: str) -> Any:
        call = partial(getattr(self._stub, method), timeout=self._seconds)
        setattr(self, method, call)  # found directly from now on
        return call
