"""Orders that arrive by topic: accepted, refused for good, or retried."""

import json
from contextlib import suppress
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from hypothesis import given

from fakes.odd_json import FEW, odd
from fakes.orders_ports import MemoryEngine, MemoryPublisher
from fakes.recorded_app import RecordedApp
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.dapr_app import Refused
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.problems import Problem
from orderflow_hosting.sidecar import Sidecar
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.ordering.api import offer_methods, subscribe
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.tables import DEAD_LETTERS

LINES = [{"item": "cars", "quantity": 11}]
VALID: dict[str, Any] = {"order_id": "o1", "customer_id": "alice", "lines": LINES}
SHORT: dict[str, Any] = {"order_id": "o1", "item": "cars", "quantity": 11}
DECISION = '{"order_id": "o1", "data": {"approved": true, "approver": "bob"}}'


class NoSidecar(Sidecar):
    """Is connected to nothing, because nothing is resent here."""

    def __init__(self) -> None:
        """Connect to nothing."""


def event(data: Any, event_id: str = "event-1") -> CloudEvent:
    return CloudEvent({"type": "com.dapr.event.sent", "source": "test", "id": event_id}, data)


@pytest.fixture
def letters(database: Database) -> DeadLetters:
    return DeadLetters(database, DEAD_LETTERS, NoSidecar(), subject_of=readable_order_id)


@pytest.fixture
def app(intake: Intake, letters: DeadLetters) -> RecordedApp:
    app = RecordedApp()
    subscribe(app, intake, letters)
    offer_methods(app, intake)
    return app


async def deliver(app: RecordedApp, delivered: CloudEvent) -> None:
    await app.topics["orders.submitted"](delivered)


async def stored(letters: DeadLetters) -> list[DeadLetter]:
    return (await letters.page(100, None)).items


def test_the_topic_of_submitted_orders_is_subscribed(app: RecordedApp) -> None:
    """No other topic is."""
    assert set(app.topics) == {"orders.submitted"}


@pytest.mark.parametrize("data", [VALID, SHORT, {**VALID, "added_later": [1]}])
async def test_a_valid_order_is_accepted(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters, data: dict[str, Any]
) -> None:
    """In the long or the short form, with or without unknown fields."""
    await deliver(app, event(data))

    assert len(engine.runs["o1"]) == 1
    assert await stored(letters) == []


@pytest.mark.parametrize(
    "data",
    [
        {"customer_id": "alice", "lines": LINES},
        {"item": "cars", "quantity": 11},
        {"order_id": None, "item": "cars", "quantity": 11},
    ],
)
async def test_a_missing_order_id_is_taken_from_the_event(
    app: RecordedApp, engine: MemoryEngine, data: dict[str, Any]
) -> None:
    """A second delivery is therefore the same order."""
    for _ in range(2):
        await deliver(app, event(data, "event-7"))

    assert list(engine.runs) == ["event-7"]
    assert len(engine.runs["event-7"]) == 1


async def test_an_order_with_no_usable_id_is_refused(
    app: RecordedApp, letters: DeadLetters, publisher: MemoryPublisher
) -> None:
    """The event's id is not valid as an order id."""
    with pytest.raises(Refused, match="order_id"):
        await deliver(app, event({"item": "cars", "quantity": 11}, "urn:uuid:7.1"))

    assert len(await stored(letters)) == 1
    assert publisher.statuses == []


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({**VALID, "lines": [{"item": "cars", "quantity": 0}]}, "lines.0.quantity"),
        ({**SHORT, "quantity": "eleven"}, "lines.0.quantity"),
        ({"order_id": "o1", "lines": LINES}, "customer_id"),
        ({"order_id": "o1"}, "customer_id"),
        ({**VALID, "lines": LINES * 2}, "lines"),
        ({**SHORT, "item": "\ud800"}, "lines.0.item"),
    ],
)
async def test_an_invalid_order_with_an_id_is_rejected_and_a_dead_letter(
    app: RecordedApp,
    store: OrderStore,
    engine: MemoryEngine,
    publisher: MemoryPublisher,
    letters: DeadLetters,
    data: dict[str, Any],
    field: str,
) -> None:
    """The customer sees the rejection, and the operator its reason."""
    for _ in range(2):
        with pytest.raises(Refused, match=field) as refusal:
            await deliver(app, event(data))
        assert refusal.value.fields == {"order_id": "o1"}

    order = await store.order("o1")
    assert order is not None
    assert (order.status, order.reason) == ("rejected", "invalid")
    assert publisher.told("o1") == ["rejected"]
    (dead_letter,) = await stored(letters)
    assert (dead_letter.subject, dead_letter.event_id) == ("o1", "event-1")
    as_text = json.dumps(data, sort_keys=True)  # data that could not be shown is stored so
    assert dead_letter.data in (data, as_text)
    assert dead_letter.reason.startswith("invalid: ")
    assert field in dead_letter.reason
    assert not engine.runs


@pytest.mark.parametrize(
    "data", ["not json {", "", [], [VALID], None, 7, 1.5, True, {}, {"order_id": "no id!"}]
)
async def test_invalid_data_without_an_id_becomes_only_a_dead_letter(
    app: RecordedApp, publisher: MemoryPublisher, letters: DeadLetters, data: Any
) -> None:
    """No order is created."""
    with pytest.raises(Refused, match="invalid"):
        await deliver(app, event(data, "no.order.id"))

    assert publisher.statuses == []
    (dead_letter,) = await stored(letters)
    assert dead_letter.subject is None


async def test_invalid_data_with_a_known_id_does_not_affect_the_order(
    app: RecordedApp, store: OrderStore, letters: DeadLetters
) -> None:
    """It becomes a dead letter."""
    await deliver(app, event(VALID))

    with pytest.raises(Refused):
        await deliver(app, event({"order_id": "o1", "lines": []}))

    order = await store.order("o1")
    assert order is not None
    assert order.status == "received"
    assert [dead_letter.subject for dead_letter in await stored(letters)] == ["o1"]


async def test_other_content_becomes_a_dead_letter(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters
) -> None:
    """A second order with the same id is never merged into the first."""
    await deliver(app, event(VALID))

    with pytest.raises(Refused, match="other content"):
        await deliver(app, event({**VALID, "customer_id": "eve"}, "event-2"))

    assert len(engine.runs["o1"]) == 1
    (dead_letter,) = await stored(letters)
    assert (dead_letter.event_id, dead_letter.subject) == ("event-2", "o1")
    assert "other content" in dead_letter.reason


async def test_an_unavailable_engine_means_a_retry(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters
) -> None:
    """A temporary failure makes no dead letter: the event is delivered again."""
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await deliver(app, event(VALID))

    assert await stored(letters) == []


async def test_a_rejection_that_cannot_be_published_means_a_retry(
    app: RecordedApp, publisher: MemoryPublisher, letters: DeadLetters
) -> None:
    """A short outage of the broker loses no rejection."""
    publisher.failures.append(ConnectionError("no broker"))
    with pytest.raises(ConnectionError):
        await deliver(app, event({**SHORT, "quantity": 0}))

    with pytest.raises(Refused):
        await deliver(app, event({**SHORT, "quantity": 0}))

    assert publisher.told("o1") == ["rejected"]
    assert len(await stored(letters)) == 1


def test_only_approvals_may_raise_decisions(app: RecordedApp) -> None:
    """No other application may call the method."""
    assert app.methods["raise"].callers == frozenset({"approvals"})


async def test_a_decision_is_accepted(app: RecordedApp, engine: MemoryEngine) -> None:
    """The reply says so to approvals."""
    await deliver(app, event(VALID))

    assert await app.invoke("raise", DECISION) == {"outcome": "taken"}
    assert len(engine.raised) == 1


@pytest.mark.parametrize(
    ("is_known", "status", "code"),
    [(False, 404, "ORDER_NOT_FOUND"), (True, 503, "SIDECAR_UNAVAILABLE")],
)
async def test_a_decision_that_cannot_be_accepted_is_a_problem(
    app: RecordedApp, engine: MemoryEngine, *, is_known: bool, status: int, code: str
) -> None:
    """The code tells an unknown order from an unavailable engine."""
    if is_known:
        await deliver(app, event(VALID))
    engine.is_down = True

    with pytest.raises(Problem) as problem:
        await app.invoke("raise", DECISION)

    assert (problem.value.status, problem.value.code) == (status, code)


@FEW
@given(odd(VALID) | odd(SHORT))
async def test_no_order_data_raises_an_unexpected_error(app: RecordedApp, data: object) -> None:
    """Every event is either accepted or refused at once."""
    with suppress(Refused):
        await deliver(app, event(data))
