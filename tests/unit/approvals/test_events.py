from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from approvals.api import Handler, handlers
from approvals.inbox import Inbox
from approvals.store import SqlApprovalStore
from approvals.tables import DEAD_LETTERS
from fakes.odd_json import FEW, odd
from orderflow_contracts import names
from orderflow_contracts.dead_letters import DeadLetter
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.dapr_app import Refused
from orderflow_hosting.database import Database, DatabaseUnavailable
from orderflow_hosting.dead_letters import DeadLetters
from orderflow_hosting.sidecar import Sidecar

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REQUEST = {
    "order_id": "o-1",
    "customer_id": "carol",
    "lines": [{"item": "cars", "quantity": 4}],
    "total_cents": 60_000_00,
    "expires_at": "2026-03-01T13:00:00Z",
    "unknown": "is ignored",
}
DECISION = {"order_id": "o-1", "approved": True, "approver": "ada", "comment": "fine"}
WITHDRAWAL = {"order_id": "o-1", "reason": "cancelled_on_request"}


class FakeCarrier:
    """Notes whose decisions are to be handed over."""

    def __init__(self) -> None:
        self.offered: list[str] = []

    def offer(self, order_id: str) -> None:
        """Note the order."""
        self.offered.append(order_id)


class Edge:
    """The service as its topics see it."""

    def __init__(self, inbox: Inbox, letters: DeadLetters, carrier: FakeCarrier) -> None:
        self.inbox = inbox
        self.carrier = carrier
        self._handlers: dict[str, Handler] = handlers(inbox, letters)
        self._letters = letters

    async def deliver(self, topic: str, data: object, event_id: str = "e-1") -> None:
        """Have the handler of the topic take an event."""
        attributes = {"id": event_id, "type": "t", "source": "s"}
        await self._handlers[topic](CloudEvent(attributes, data))

    async def dead(self) -> list[DeadLetter]:
        """Read what was refused."""
        return (await self._letters.page(100, None)).items


@pytest.fixture
def edge(database: Database, store: SqlApprovalStore) -> Edge:
    carrier = FakeCarrier()

    class NoSidecar(Sidecar):
        def __init__(self) -> None:
            """Connect to nothing: nothing is published here."""

    letters = DeadLetters(database, DEAD_LETTERS, NoSidecar(), subject_of=readable_order_id)
    return Edge(Inbox(store, carrier, lambda: NOON), letters, carrier)


async def test_every_subscribed_topic_has_a_handler(edge: Edge) -> None:
    """The topics that are handled are those that the contract names."""
    assert set(edge._handlers) == set(names.SUBSCRIPTIONS[names.APPROVALS])


async def test_a_decision_that_came_first_is_applied_to_its_request(edge: Edge) -> None:
    """A decision waits for its request, and sets out for orders when that has come."""
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)
    assert edge.carrier.offered == []

    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert edge.carrier.offered == ["o-1"]
    assert (await edge.inbox.read("o-1")).status == "approved"


async def test_the_same_events_again_are_fine(edge: Edge) -> None:
    """Events that come twice are acknowledged twice and leave no dead letter."""
    for _ in range(2):
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
        await edge.deliver(names.APPROVALS_DECISIONS, DECISION)
    for _ in range(2):
        await edge.deliver(names.APPROVALS_WITHDRAWN, WITHDRAWAL)
        await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    assert await edge.dead() == []
    assert (await edge.inbox.read("o-1")).status == "withdrawn"


async def test_a_reminder_is_known_and_logged(edge: Edge) -> None:
    """A request said again changes nothing, leaves no dead letter, and can be seen in the log."""
    with capture_logs() as logs:
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
        before = await edge.inbox.read("o-1")
        await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "reminder": True}, "e-2")
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert [entry["event"] for entry in logs] == [
        "approval_requested",
        "approval_reminded",
        "known_already",
    ]
    assert await edge.inbox.read("o-1") == before
    assert await edge.dead() == []


async def test_a_reminder_is_a_request_where_none_came(edge: Edge) -> None:
    """An order whose request was lost is decided all the same."""
    await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "reminder": True})
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    assert (await edge.inbox.read("o-1")).status == "approved"


@pytest.mark.parametrize("is_early", [False, True])
async def test_the_first_of_two_approvals_escalates(edge: Edge, *, is_early: bool) -> None:
    """Whether the approval or its request came first, the second person is called for once."""
    events = [
        (names.APPROVALS_REQUESTED, {**REQUEST, "levels": 2}),
        (names.APPROVALS_DECISIONS, DECISION),
    ]
    with capture_logs() as logs:
        for topic, data in [*(reversed(events) if is_early else events), *events]:
            await edge.deliver(topic, data)
    assert [entry["event"] for entry in logs].count("approval_escalated") == 1
    assert edge.carrier.offered == []

    await edge.deliver(names.APPROVALS_DECISIONS, {**DECISION, "approver": "bob"})

    assert edge.carrier.offered == ["o-1"]
    assert (await edge.inbox.read("o-1")).status == "approved"
    assert await edge.dead() == []


@pytest.mark.parametrize("topic", names.SUBSCRIPTIONS[names.APPROVALS])
@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "no JSON {",
        17,
        [],
        {},
        {"order_id": "o-1"},
        {"order_id": "../etc"},
        {"order_id": ["o-1"]},
        {"order_id": "o-1", "approved": "yes", "approver": "\ud800", "reason": "\ud800"},
        {**REQUEST, "approved": 1, "reason": 5, "total_cents": 10**30},
        {**REQUEST, "reason": "x\0", "expires_at": "9999-12-31T23:59:59-23:59"},
    ],
)
async def test_garbage_is_refused_and_shown_with_the_reason(
    edge: Edge, topic: str, data: object
) -> None:
    """What is not valid goes to the dead letters at once, on each of the topics."""
    with pytest.raises(Refused, match="invalid"):
        await edge.deliver(topic, data)

    (letter,) = await edge.dead()
    assert letter.reason.startswith("invalid: ")
    assert letter.topic == topic
    readable = isinstance(data, dict) and data.get("order_id") == "o-1"
    assert letter.subject == ("o-1" if readable else None)


async def test_another_request_is_refused_and_shown(edge: Edge) -> None:
    """A second request with other content is never merged with the first."""
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    with pytest.raises(Refused) as refusal:
        await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "total_cents": 1}, "e-2")

    assert refusal.value.fields == {"order_id": "o-1"}
    assert "other content" in (await edge.dead())[0].reason
    assert (await edge.inbox.read("o-1")).total_cents == 60_000_00


async def test_another_decision_is_refused_and_shown(edge: Edge) -> None:
    """A second decision that differs goes to the dead letters, and the first stands."""
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    with pytest.raises(Refused):
        await edge.deliver(names.APPROVALS_DECISIONS, {**DECISION, "approved": False}, "e-2")

    assert "approved by ada before" in (await edge.dead())[0].reason
    assert (await edge.inbox.read("o-1")).status == "approved"


@pytest.mark.parametrize(
    ("reason", "told"), [("approval_expired", "is over"), ("failed", "no longer waits")]
)
async def test_a_decision_after_the_end_is_refused_and_shown(
    edge: Edge, reason: str, told: str
) -> None:
    """A decision about an expired or withdrawn request goes to the dead letters."""
    await edge.deliver(names.APPROVALS_WITHDRAWN, {**WITHDRAWAL, "reason": reason})
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    with pytest.raises(Refused, match=told):
        await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    assert told in (await edge.dead())[0].reason


async def test_a_request_that_comes_after_its_deadline_is_expired(edge: Edge) -> None:
    """A request that was long on its way is kept, but never pending."""
    long_ago = (NOON - timedelta(days=1)).isoformat()

    await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "expires_at": long_ago})

    assert (await edge.inbox.read("o-1")).status == "expired"


async def test_a_database_that_is_away_means_again_later(edge: Edge, database: Database) -> None:
    """A failure that may pass is no refusal: the event is retried, and is no dead letter."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    with pytest.raises(DatabaseUnavailable):
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert await edge.dead() == []


MESSAGES: dict[str, dict[str, Any]] = {
    names.APPROVALS_REQUESTED: REQUEST,
    names.APPROVALS_DECISIONS: DECISION,
    names.APPROVALS_WITHDRAWN: WITHDRAWAL,
}


@FEW
@given(st.one_of([st.tuples(st.just(topic), odd(valid)) for topic, valid in MESSAGES.items()]))
async def test_no_data_fails_for_an_unknown_reason(edge: Edge, event: tuple[str, object]) -> None:
    """Whatever an event says, it is handled or refused at once."""
    with suppress(Refused):
        await edge.deliver(*event)
