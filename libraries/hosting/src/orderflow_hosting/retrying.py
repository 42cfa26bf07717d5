"""Distinguishes failures of an event itself from failures of what the service depends on.

A failing dependency never makes an event a dead letter: the event is retried until it succeeds.
"""

import grpc

from orderflow_hosting.problems import Problem, Unavailable

UNAVAILABLE_STATUS = 503

_AROUND = (
    Unavailable,
    OSError,  # and with it TimeoutError
    MemoryError,
)
_PERHAPS_OWN = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # also for a message that is too large
)
"""Statuses by which a called service may refuse the content of an event."""


def is_around(error: Exception) -> bool:
    """Return whether a failure is known to be one of a dependency, not of the event."""
    if isinstance(error, Problem):
        return error.status == UNAVAILABLE_STATUS
    if isinstance(error, grpc.RpcError):
        code = getattr(error, "code", None)  # some clients' errors have none
        return code is None or code() not in _PERHAPS_OWN
    return isinstance(error, _AROUND)
