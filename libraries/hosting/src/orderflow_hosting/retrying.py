"""Distinguishes failures of an event itself from failures of what the service depends on.

A failing dependency never makes an event a dead letter: the event is retried until it succeeds.
"""

import grpc

from orderflow_hosting.problems import Problem, Unavailable

UNAVAILABLE_STATUS = 503

_DEPENDENCY_ERRORS = (
    Unavailable,
    OSError,  # includes TimeoutError
    MemoryError,
)
_PERHAPS_ABOUT_THE_EVENT = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # also for a message that is too large
)
"""Statuses by which a called service may refuse the content of an event."""


def is_around(error: Exception) -> bool:
    """Return whether a dependency, not the event itself, is known to have caused a failure."""
    if isinstance(error, Problem):
        return error.status == UNAVAILABLE_STATUS
    if isinstance(error, grpc.RpcError):
        code = getattr(error, "code", None)  # some clients' errors have none
        return code is None or code() not in _PERHAPS_ABOUT_THE_EVENT
    return isinstance(error, _DEPENDENCY_ERRORS)
