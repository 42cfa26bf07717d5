"""Orders that arrive by topic: taken, refused for good, or left to come again."""

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
    """Is connected to nothing, for nothing is sent again here."""

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


async def kept(letters: DeadLetters) -> list[DeadLetter]:
    return (await letters.page(100, None)).items


def test_the_one_topic_of_orders_is_subscribed(app: RecordedApp) -> None:
    """Orders takes in what is submitted."""
    assert set(app.topics) == {"orders.submitted"}


@pytest.mark.parametrize("data", [VALID, SHORT, {**VALID, "added_later": [1]}])
async def test_a_valid_order_is_taken(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters, data: dict[str, Any]
) -> None:
    """The long form, the short form, and either with fields that are not known."""
    await deliver(app, event(data))

    assert len(engine.runs["o1"]) == 1
    assert await kept(letters) == []


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
    """The event's id serves, so that a second delivery is the same order."""
    for _ in range(2):
        await deliver(app, event(data, "event-7"))

    assert list(engine.runs) == ["event-7"]
    assert len(engine.runs["event-7"]) == 1


async def test_an_event_id_that_cannot_be_an_order_id_does_not_serve(
    app: RecordedApp, letters: DeadLetters, publisher: MemoryPublisher
) -> None:
    """An order that cannot be named is refused."""
    with pytest.raises(Refused, match="order_id"):
        await deliver(app, event({"item": "cars", "quantity": 11}, "urn:uuid:7.1"))

    assert len(await kept(letters)) == 1
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
async def test_an_invalid_order_with_an_id_is_rejected_and_refused(
    app: RecordedApp,
    store: OrderStore,
    engine: MemoryEngine,
    publisher: MemoryPublisher,
    letters: DeadLetters,
    data: dict[str, Any],
    field: str,
) -> None:
    """Its customer can see that it was rejected, and its operator why."""
    for _ in range(2):
        with pytest.raises(Refused, match=field) as refusal:
            await deliver(app, event(data))
        assert refusal.value.fields == {"order_id": "o1"}

    order = await store.order("o1")
    assert order is not None
    assert (order.status, order.reason) == ("rejected", "invalid")
    assert publisher.told("o1") == ["rejected"]
    (letter,) = await kept(letters)
    assert (letter.subject, letter.event_id) == ("o1", "event-1")
    as_text = json.dumps(data, sort_keys=True)  # how data that could not be shown is kept
    assert letter.data in (data, as_text)
    assert letter.reason.startswith("invalid: ")
    assert field in letter.reason
    assert not engine.runs


@pytest.mark.parametrize(
    "data", ["not json {", "", [], [VALID], None, 7, 1.5, True, {}, {"order_id": "no id!"}]
)
async def test_garbage_is_refused_without_a_status(
    app: RecordedApp, publisher: MemoryPublisher, letters: DeadLetters, data: Any
) -> None:
    """What names no order goes to the dead letters, and no order comes of it."""
    with pytest.raises(Refused, match="invalid"):
        await deliver(app, event(data, "no.order.id"))

    assert publisher.statuses == []
    (letter,) = await kept(letters)
    assert letter.subject is None


async def test_garbage_under_a_real_id_is_refused_and_the_order_goes_on(
    app: RecordedApp, store: OrderStore, letters: DeadLetters
) -> None:
    """An order is not ended by an invalid event that names it."""
    await deliver(app, event(VALID))

    with pytest.raises(Refused):
        await deliver(app, event({"order_id": "o1", "lines": []}))

    order = await store.order("o1")
    assert order is not None
    assert order.status == "received"
    assert [letter.subject for letter in await kept(letters)] == ["o1"]


async def test_other_content_is_refused_and_shown(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters
) -> None:
    """The second order under an id is never merged into the first."""
    await deliver(app, event(VALID))

    with pytest.raises(Refused, match="other content"):
        await deliver(app, event({**VALID, "customer_id": "eve"}, "event-2"))

    assert len(engine.runs["o1"]) == 1
    (letter,) = await kept(letters)
    assert (letter.event_id, letter.subject) == ("event-2", "o1")
    assert "other content" in letter.reason


async def test_an_engine_that_is_down_lets_the_event_come_again(
    app: RecordedApp, engine: MemoryEngine, letters: DeadLetters
) -> None:
    """What may pass is no dead letter: the exception asks for another delivery."""
    engine.is_down = True

    with pytest.raises(EngineUnavailable):
        await deliver(app, event(VALID))

    assert await kept(letters) == []


async def test_a_rejection_that_cannot_be_told_lets_the_event_come_again(
    app: RecordedApp, publisher: MemoryPublisher, letters: DeadLetters
) -> None:
    """No rejection goes untold because the broker was away for a moment."""
    publisher.failures.append(ConnectionError("no broker"))
    with pytest.raises(ConnectionError):
        await deliver(app, event({**SHORT, "quantity": 0}))

    with pytest.raises(Refused):
        await deliver(app, event({**SHORT, "quantity": 0}))

    assert publisher.told("o1") == ["rejected"]
    assert len(await kept(letters)) == 1


def test_only_approvals_may_hand_back_decisions(app: RecordedApp) -> None:
    """No other application may decide."""
    assert app.methods["raise"].callers == frozenset({"approvals"})


async def test_a_decision_is_taken(app: RecordedApp, engine: MemoryEngine) -> None:
    """The reply tells approvals that it is done."""
    await deliver(app, event(VALID))

    assert await app.invoke("raise", DECISION) == {"outcome": "taken"}
    assert len(engine.raised) == 1


@pytest.mark.parametrize(
    ("is_known", "status", "code"),
    [(False, 404, "ORDER_NOT_FOUND"), (True, 503, "SIDECAR_UNAVAILABLE")],
)
async def test_a_decision_that_cannot_be_taken_is_a_problem(
    app: RecordedApp, engine: MemoryEngine, *, is_known: bool, status: int, code: str
) -> None:
    """An unknown order will stay so; an engine that is down may come back."""
    if is_known:
        await deliver(app, event(VALID))
    engine.is_down = True

    with pytest.raises(Problem) as problem:
        await app.invoke("raise", DECISION)

    assert (problem.value.status, problem.value.code) == (status, code)


@FEW
@given(odd(VALID) | odd(SHORT))
async def test_no_data_fails_for_an_unknown_reason(app: RecordedApp, data: object) -> None:
    """Whatever an event says, it is taken or refused at once."""
    with suppress(Refused):
        await deliver(app, event(data))
