"""Which failures turn an event into a dead letter, and which never do."""

import sqlite3

import grpc
import grpc.aio
import pytest

from orderflow_hosting.database import DatabaseClosed, DatabaseNotReady, DatabaseUnavailable
from orderflow_hosting.problems import Problem, Unavailable
from orderflow_hosting.retrying import is_around


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("away"),
        DatabaseUnavailable("read only"),
        DatabaseNotReady("not yet"),
        DatabaseClosed("closed"),
        grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata()),
        grpc.RpcError("of a client that blocks"),
        OSError(28, "No space left on device"),
        TimeoutError("too slow"),
        MemoryError(),
        Problem(503, "SIDECAR_UNAVAILABLE", "away"),
    ],
    ids=repr,
)
def test_failures_of_dependencies_are_not_the_events_own(error: Exception) -> None:
    """Database, sidecar, disk and memory errors never count against an event."""
    assert is_around(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        sqlite3.IntegrityError("twice"),
        Problem(409, "TAKEN", "x"),
        *(
            grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())
            for code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
        ),
    ],
    ids=repr,
)
def test_other_failures_are_unknown(error: Exception) -> None:
    """They are judged by evidence."""
    assert not is_around(error)
