"""Orders that arrive by topic: accepted, refused for good, or retried."""

import json
from typing import Any

import pytest
from hypothesis import given
from structlog.testing import capture_logs

from fakes.events import TopicsInMemory
from fakes.odd_json import FEW, odd
from fakes.orders_ports import MemoryEngine, Promised
from fakes.outboxes import fail_once
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.problems import Problem
from orders.ordering.api import offer_methods, subscribe
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.tables import DEAD_LETTERS, PARKED_EVENTS

TOPIC = "orders.submitted"
LINES = [{"item": "cars", "quantity": 11}]
VALID: dict[str, Any] = {"order_id": "o1", "customer_id": "alice", "lines": LINES}
SHORT: dict[str, Any] = {"order_id": "o1", "item": "cars", "quantity": 11}
DECISION = '{"order_id": "o1", "data": {"approved": true, "approver": "bob"}}'


@pytest.fixture
def topics(database: Database, intake: Intake) -> TopicsInMemory:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe(topics.topics, intake)
    offer_methods(topics.app, intake)
    return topics


def test_the_topic_of_submitted_orders_is_subscribed(topics: TopicsInMemory) -> None:
    """No other topic is, except the one of its dead letters."""
    assert topics.app.dead_letter_topics == {
        "orders.submitted": "orders.submitted.dead",
        "orders.submitted.dead": None,
    }


@pytest.mark.parametrize("data", [VALID, SHORT, {**VALID, "added_later": [1]}])
async def test_a_valid_order_is_accepted(
    topics: TopicsInMemory, engine: MemoryEngine, data: dict[str, Any]
) -> None:
    """In the long or the short form, with or without unknown fields."""
    assert await topics.deliver(TOPIC, data) is Answer.ACKNOWLEDGE

    assert len(engine.runs["o1"]) == 1
    assert (await topics.errors(), await topics.dead()) == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        {"customer_id": "alice", "lines": LINES},
        {"item": "cars", "quantity": 11},
        {"order_id": None, "item": "cars", "quantity": 11},
    ],
)
async def test_a_missing_order_id_is_taken_from_the_event(
    topics: TopicsInMemory, engine: MemoryEngine, data: dict[str, Any]
) -> None:
    """A second delivery is therefore the same order."""
    for _ in range(2):
        await topics.deliver(TOPIC, data, "event-7")

    assert list(engine.runs) == ["event-7"]
    assert len(engine.runs["event-7"]) == 1


async def test_the_order_of_an_event_is_found(topics: TopicsInMemory) -> None:
    """By the id that it names or, without one, by the event's own; none before there is one."""
    by_id = {"item": "cars", "quantity": 1}
    assert await topics.find(TOPIC, VALID) is None
    assert await topics.find(TOPIC, by_id, "event-7") is None

    await topics.deliver(TOPIC, VALID)
    await topics.deliver(TOPIC, by_id, "event-7")

    assert await topics.find(TOPIC, VALID, "other") == Known("order", "o1", "received")
    assert await topics.find(TOPIC, by_id, "event-7") == Known("order", "event-7", "received")
    for odd_data in ({"order_id": "no id"}, [VALID], None, {**by_id, "order_id": None}):
        assert await topics.find(TOPIC, odd_data, "event-8") is None


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({**VALID, "lines": [{"item": "cars", "quantity": 0}]}, "lines.0.quantity"),
        ({**SHORT, "quantity": "eleven"}, "lines.0.quantity"),
        ({"order_id": "o1", "lines": LINES}, "customer_id"),
        ({"order_id": "o1"}, "customer_id"),
        ({**VALID, "lines": LINES * 2}, "lines"),
        ({**SHORT, "item": "\ud800"}, "data.item"),
    ],
)
async def test_an_invalid_order_with_an_id_is_rejected_and_a_dead_letter(
    topics: TopicsInMemory,
    store: OrderStore,
    engine: MemoryEngine,
    publisher: Promised,
    data: dict[str, Any],
    field: str,
) -> None:
    """The customer sees the rejection, and the operator its reason."""
    with capture_logs() as logs:
        for _ in range(2):
            assert await topics.deliver(TOPIC, data) is Answer.DEAD_LETTER
    refusals = [entry for entry in logs if entry["event"] == "event_refused"]
    assert [(entry["event_id"], entry["subject"]) for entry in refusals] == [("event-1", "o1")] * 2

    order = await store.order("o1")
    assert order is not None
    assert (order.status, order.reason) == ("rejected", "invalid")
    assert publisher.statuses_of("o1") == ["rejected"]
    (dead_letter,) = await topics.dead()
    assert (dead_letter.subject, dead_letter.event_id) == ("o1", "event-1")
    assert json.loads(await topics.sent(dead_letter) or "") == data
    assert dead_letter.reason.startswith("invalid: ")
    assert field in dead_letter.reason
    assert not engine.runs


@pytest.mark.parametrize(
    "data", ["not json {", "", [], [VALID], None, 7, 1.5, True, {"order_id": "no id!"}]
)
async def test_invalid_data_without_an_id_becomes_only_a_dead_letter(
    topics: TopicsInMemory, publisher: Promised, data: Any
) -> None:
    """No order is created."""
    assert await topics.deliver(TOPIC, data, "no.order.id") is Answer.DEAD_LETTER

    assert publisher.statuses == []
    (dead_letter,) = await topics.dead()
    assert "invalid" in dead_letter.reason
    assert dead_letter.subject is None


async def test_invalid_data_with_a_known_id_does_not_affect_the_order(
    topics: TopicsInMemory, store: OrderStore
) -> None:
    """It becomes a dead letter."""
    await topics.deliver(TOPIC, VALID)

    assert await topics.deliver(TOPIC, {"order_id": "o1", "lines": []}) is Answer.DEAD_LETTER

    order = await store.order("o1")
    assert order is not None
    assert order.status == "received"
    assert [dead_letter.subject for dead_letter in await topics.dead()] == ["o1"]


async def test_other_content_becomes_a_dead_letter(
    topics: TopicsInMemory, engine: MemoryEngine
) -> None:
    """A second order with the same id is never merged into the first."""
    await topics.deliver(TOPIC, VALID)

    other = {**VALID, "customer_id": "eve"}
    assert await topics.deliver(TOPIC, other, "event-2") is Answer.DEAD_LETTER

    assert len(engine.runs["o1"]) == 1
    (dead_letter,) = await topics.dead()
    assert (dead_letter.event_id, dead_letter.subject) == ("event-2", "o1")
    assert "other content" in dead_letter.reason


async def test_an_unavailable_engine_means_a_retry(
    topics: TopicsInMemory, engine: MemoryEngine
) -> None:
    """A temporary failure makes no dead letter: the event is parked, and handled afterwards."""
    engine.is_down = True

    assert await topics.deliver(TOPIC, VALID) is Answer.ACKNOWLEDGE

    (error,) = await topics.errors()
    assert error.startswith("EngineUnavailable")
    assert await topics.dead() == []

    engine.is_down = False
    await topics.pass_time()

    assert len(engine.runs["o1"]) == 1
    assert (await topics.errors(), await topics.dead()) == ([], [])


async def test_a_rejection_that_cannot_be_promised_means_a_retry(
    topics: TopicsInMemory, publisher: Promised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short outage loses no rejection."""
    fail_once(monkeypatch, "orders.ordering.changes.add_within", ConnectionError("no broker"))

    assert await topics.deliver(TOPIC, {**SHORT, "quantity": 0}) is Answer.ACKNOWLEDGE

    assert await topics.errors() == ["ConnectionError: no broker"]
    assert (publisher.statuses_of("o1"), await topics.dead()) == ([], [])

    await topics.pass_time()

    assert publisher.statuses_of("o1") == ["rejected"]
    assert (await topics.errors(), len(await topics.dead())) == ([], 1)


def test_only_approvals_may_raise_decisions(topics: TopicsInMemory) -> None:
    """No other application may call the method."""
    assert topics.app.methods["raise"].callers == frozenset({"approvals"})


async def test_a_decision_is_accepted(topics: TopicsInMemory, engine: MemoryEngine) -> None:
    """The reply says so to approvals."""
    await topics.deliver(TOPIC, VALID)

    assert await topics.app.invoke("raise", DECISION) == {"outcome": "taken"}
    assert len(engine.raised) == 1


@pytest.mark.parametrize(
    ("is_known", "status", "code"),
    [(False, 404, "ORDER_NOT_FOUND"), (True, 503, "SIDECAR_UNAVAILABLE")],
)
async def test_a_decision_that_cannot_be_accepted_is_a_problem(
    topics: TopicsInMemory, engine: MemoryEngine, *, is_known: bool, status: int, code: str
) -> None:
    """The code tells an unknown order from an unavailable engine."""
    if is_known:
        await topics.deliver(TOPIC, VALID)
    engine.is_down = True

    with pytest.raises(Problem) as problem:
        await topics.app.invoke("raise", DECISION)

    assert (problem.value.status, problem.value.code) == (status, code)


@FEW
@given(odd(VALID) | odd(SHORT))
async def test_no_order_data_raises_an_unexpected_error(
    topics: TopicsInMemory, data: object
) -> None:
    """Every event is either accepted or refused at once."""
    await topics.deliver(TOPIC, data)

    assert await topics.errors() == []
