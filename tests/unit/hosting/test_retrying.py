"""Which failures turn an event into a dead letter, and which never do."""

import sqlite3

import grpc
import grpc.aio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow_hosting.database import DatabaseClosed, DatabaseNotReady, DatabaseUnavailable
from orderflow_hosting.problems import Problem, Unavailable
from orderflow_hosting.retrying import CONTRADICTED_ATTEMPTS, Suspects, is_around

TOPIC = "orders.submitted"
MORE_THAN_ANYONE_WAITS = 10_000


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


def test_an_event_that_fails_alone_is_never_given_up() -> None:
    """If no other event succeeds meanwhile, any number of attempts proves nothing."""
    suspects = Suspects()

    assert not any(suspects.failed(TOPIC, "e-1") for _ in range(MORE_THAN_ANYONE_WAITS))


def test_an_event_is_given_up_if_others_succeed_between_its_attempts() -> None:
    """The first attempt proves nothing; each later one contradicted by others counts."""
    suspects = Suspects()
    outcomes = []
    for number in range(CONTRADICTED_ATTEMPTS + 1):
        outcomes.append(suspects.failed(TOPIC, "bad"))
        suspects.handled(TOPIC, f"good-{number}")

    assert outcomes == [False] * CONTRADICTED_ATTEMPTS + [True]


def test_one_burst_of_others_counts_once() -> None:
    """However many succeed between two attempts, the cause may have passed since."""
    suspects = Suspects()
    suspects.failed(TOPIC, "bad")
    for number in range(1000):
        suspects.handled(TOPIC, f"good-{number}")

    assert not any(suspects.failed(TOPIC, "bad") for _ in range(MORE_THAN_ANYONE_WAITS))


@pytest.mark.parametrize(("topic", "event_id"), [("orders.other", "good"), (TOPIC, "bad")])
def test_only_other_events_of_the_topic_count(topic: str, event_id: str) -> None:
    """Handlers of other topics may need less, and a repeat is not another event."""
    suspects = Suspects()
    for _ in range(CONTRADICTED_ATTEMPTS * 3):
        assert not suspects.failed(TOPIC, "bad")
        suspects.handled(topic, event_id)


def test_the_same_event_handled_again_proves_nothing() -> None:
    """A duplicate may have been acknowledged without doing anything."""
    suspects = Suspects()
    for _ in range(CONTRADICTED_ATTEMPTS * 3):
        assert not suspects.failed(TOPIC, "bad")
        suspects.handled(TOPIC, "good")


ATTEMPTS = st.tuples(
    st.sampled_from([TOPIC, "orders.batch-submitted"]), st.sampled_from("abc"), st.booleans()
)


@given(st.lists(ATTEMPTS, max_size=120))
def test_an_event_is_never_given_up_without_evidence(attempts: list[tuple[str, str, bool]]) -> None:
    """Enough events of its topic must have contradicted its failures."""
    suspects = Suspects()
    contradicted: dict[tuple[str, str], int] = {}
    others_since: dict[tuple[str, str], bool] = {}
    for topic, event_id, is_handled in attempts:
        event = (topic, event_id)
        if is_handled:
            suspects.handled(topic, event_id)
            contradicted.pop(event, None)
            others_since.pop(event, None)
            others_since.update(
                {other: True for other in others_since if other[0] == topic and other != event}
            )
            continue
        contradicted[event] = contradicted.get(event, 0) + others_since.get(event, False)
        others_since[event] = False
        if suspects.failed(topic, event_id):
            assert contradicted.pop(event) >= CONTRADICTED_ATTEMPTS
            others_since.pop(event)
