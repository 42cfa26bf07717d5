"""Which failures pass, and how long to be patient with one that should not have happened."""

from collections import OrderedDict

import grpc.aio

from orderflow_hosting.database import DATABASE_AWAY
from orderflow_hosting.problems import Problem

UNEXPECTED_ATTEMPTS = 10
EVENTS_REMEMBERED = 10_000
UNAVAILABLE_STATUS = 503


class Unavailable(Exception):
    """Something that the service needs does not answer for the moment."""


_PASSING = (
    Unavailable,
    grpc.aio.AioRpcError,
    *DATABASE_AWAY,
    OSError,  # and with it TimeoutError
)


def passes(error: Exception) -> bool:
    """Tell whether a failure is trouble of the whole service, which will end one day."""
    if isinstance(error, Problem):
        return error.status == UNAVAILABLE_STATUS
    return isinstance(error, _PASSING)


class Patience:
    """Counts the attempts at events that fail although the service is well.

    Such a failure is a fault in the program, and most often for this one event alone. While it is
    retried it holds a worker of the sidecar, and Redis delivers it to another one every few
    seconds: retried for ever it would stall all topics of the application.
    """

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, int] = OrderedDict()

    def is_over(self, event: str) -> bool:
        """Count one more failed attempt at an event; tell whether it was the last one."""
        count = self._attempts.pop(event, 0) + 1
        if count >= UNEXPECTED_ATTEMPTS:
            return True
        self._attempts[event] = count
        if len(self._attempts) > EVENTS_REMEMBERED:
            self._attempts.popitem(last=False)
        return False
