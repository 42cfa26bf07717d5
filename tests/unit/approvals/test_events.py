import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from structlog.testing import capture_logs

from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.decisions.topics import subscribe
from approvals.tables import DEAD_LETTERS, PARKED_EVENTS
from fakes.events import TopicsInMemory
from fakes.odd_json import FEW, odd
from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalStatus, RequestsWanted
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.topics import MOST_OWN_FAILURES

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


class FakeSender:
    """Records the orders whose decisions were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, order_id: str) -> None:
        """Record the order."""
        self.sent.append(order_id)


class Edge(TopicsInMemory):
    """The topics of the service."""

    def __init__(self, database: Database, store: SqlApprovalStore) -> None:
        super().__init__(database, DEAD_LETTERS, PARKED_EVENTS)
        self.sender = FakeSender()
        self.numbers = itertools.count()
        self.service = ApprovalService(store, self.sender, lambda: NOON)
        subscribe(self.topics, self.service)


@pytest.fixture
def edge(database: Database, store: SqlApprovalStore) -> Edge:
    return Edge(database, store)


async def test_every_subscribed_topic_has_a_handler(edge: Edge) -> None:
    """The handled topics are those in the contract, each with one for its dead letters."""
    handled = {topic: behind for topic, behind in edge.app.dead_letter_topics.items() if behind}
    assert handled == {
        topic: names.dead_letter_topic(topic) for topic in names.SUBSCRIPTIONS[names.APPROVALS]
    }
    assert set(edge.app.events) == set(handled) | set(handled.values())


async def test_an_early_decision_is_applied_to_its_request(edge: Edge) -> None:
    """A decision is sent to orders once its request has arrived."""
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)
    assert edge.sender.sent == []

    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert edge.sender.sent == ["o-1"]
    assert (await edge.service.read("o-1")).status == "approved"


@pytest.mark.parametrize("topic", names.SUBSCRIPTIONS[names.APPROVALS])
async def test_the_approval_of_an_event_is_found(edge: Edge, topic: str) -> None:
    """By the order's id, on each topic."""
    assert await edge.find(topic, DECISION) is None

    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert await edge.find(topic, DECISION) == Known("approval", "o-1", "pending")
    for odd_data in ({"order_id": "no id"}, ["o-1"], None):
        assert await edge.find(topic, odd_data) is None


NOT_REQUESTED = (
    "no approval was requested for order o-1; what this event says is recorded, and counts if one"
    " is requested later"
)
EARLY = [(names.APPROVALS_DECISIONS, DECISION), (names.APPROVALS_WITHDRAWN, WITHDRAWAL)]


@pytest.mark.parametrize(("topic", "data", "status"), [
    (*EARLY[0], "approved"), (*EARLY[1], "withdrawn"),
])  # fmt: skip
async def test_an_early_event_waits_for_its_request(
    edge: Edge, topic: str, data: object, status: str
) -> None:
    """It can be seen among the parked events until the request arrives, and takes effect once."""
    assert await edge.deliver(topic, data) is Answer.ACKNOWLEDGE
    await edge.pass_time()
    assert await edge.errors() == [f"NotYetKnown: {NOT_REQUESTED}"]

    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
    await edge.pass_time()

    assert (await edge.service.read("o-1")).status == status
    assert (await edge.errors(), await edge.dead()) == ([], [])


@pytest.mark.parametrize(("topic", "data"), EARLY)
async def test_an_event_without_a_request_becomes_a_dead_letter(
    edge: Edge, topic: str, data: object
) -> None:
    """It waits within the limit, and then says that nothing was requested."""
    await edge.deliver(topic, data)
    for _ in range(MOST_OWN_FAILURES):
        assert await edge.dead() == []
        await edge.pass_time()

    (letter,) = await edge.dead()
    assert (letter.topic, letter.subject) == (topic, "o-1")
    assert letter.reason == f"tried 11 times, but {NOT_REQUESTED}"
    assert await edge.errors() == []


@pytest.mark.parametrize("levels", [1, 2])
async def test_an_early_decision_that_was_given_up_is_still_the_first_one(
    edge: Edge, levels: int
) -> None:
    """A different one is refused, before the request and after; a person may decide only once."""
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION, "early")
    for _ in range(MOST_OWN_FAILURES):
        await edge.pass_time()
    other = {**DECISION, "approved": not DECISION["approved"]}

    before = await edge.deliver(names.APPROVALS_DECISIONS, other, "second")
    await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "levels": levels}, "request")
    after = await edge.deliver(names.APPROVALS_DECISIONS, other, "third")

    assert (before, after) == (Answer.DEAD_LETTER, Answer.DEAD_LETTER)
    refused = {letter.event_id: letter.reason for letter in await edge.dead()}
    approver = DECISION["approver"]
    assert refused["second"] == refused["third"] == f"order o-1 was already approved by {approver}"
    found = await edge.service.read("o-1")
    assert [each.approver for each in found.decisions] == [approver]


@given(st.permutations([*EARLY, (names.APPROVALS_REQUESTED, REQUEST), *EARLY]))
@settings(FEW, max_examples=30)  # there are no more sequences
async def test_no_sequence_leaves_an_event_waiting(
    edge: Edge, events: list[tuple[str, dict[str, Any]]]
) -> None:
    """Once the request is there, nothing waits, and only a decision that is too late is refused."""
    order_id = f"o-{next(edge.numbers)}"
    for number, (topic, data) in enumerate(events):
        await edge.deliver(topic, {**data, "order_id": order_id}, f"{order_id}-{number}")
    await edge.pass_time()

    assert await edge.errors() == []
    assert (await edge.service.read(order_id)).status == "withdrawn"
    refused = [letter for letter in await edge.dead() if letter.subject == order_id]
    assert {letter.topic for letter in refused} <= {names.APPROVALS_DECISIONS}
    assert all("no longer needs approval" in letter.reason for letter in refused)


async def test_repeated_events_are_accepted(edge: Edge) -> None:
    """Repeated events are acknowledged and create no dead letter."""
    for _ in range(2):
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
        await edge.deliver(names.APPROVALS_DECISIONS, DECISION)
    for _ in range(2):
        await edge.deliver(names.APPROVALS_WITHDRAWN, WITHDRAWAL)
        await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    assert await edge.dead() == []
    assert (await edge.service.read("o-1")).status == "withdrawn"


async def test_a_reminder_is_logged(edge: Edge) -> None:
    """A reminder changes nothing, creates no dead letter, and appears in the log."""
    with capture_logs() as logs:
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
        before = await edge.service.read("o-1")
        await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "reminder": True}, "e-2")
        await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert [entry["event"] for entry in logs] == [
        "approval_requested",
        "approval_reminded",
        "duplicate_message",
    ]
    assert await edge.service.read("o-1") == before
    assert await edge.dead() == []


async def test_a_reminder_replaces_a_lost_request(edge: Edge) -> None:
    """An order whose request was lost can still be decided."""
    await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "reminder": True})
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    assert (await edge.service.read("o-1")).status == "approved"


@pytest.mark.parametrize("is_early", [False, True])
async def test_the_first_of_two_approvals_escalates(edge: Edge, *, is_early: bool) -> None:
    """Whichever arrives first, the escalation is logged once."""
    events = [
        (names.APPROVALS_REQUESTED, {**REQUEST, "levels": 2}),
        (names.APPROVALS_DECISIONS, DECISION),
    ]
    with capture_logs() as logs:
        for topic, data in [*(reversed(events) if is_early else events), *events]:
            await edge.deliver(topic, data)
    assert [entry["event"] for entry in logs].count("approval_escalated") == 1
    assert edge.sender.sent == []

    await edge.deliver(names.APPROVALS_DECISIONS, {**DECISION, "approver": "bob"})

    assert edge.sender.sent == ["o-1"]
    assert (await edge.service.read("o-1")).status == "approved"
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
async def test_invalid_events_become_dead_letters_with_the_reason(
    edge: Edge, topic: str, data: object
) -> None:
    """Invalid events on any topic become dead letters immediately."""
    assert await edge.deliver(topic, data) is Answer.DEAD_LETTER

    (dead_letter,) = await edge.dead()
    assert dead_letter.reason.startswith("invalid: ")
    assert dead_letter.topic == topic
    readable = isinstance(data, dict) and data.get("order_id") == "o-1"
    assert dead_letter.subject == ("o-1" if readable else None)


async def test_a_conflicting_request_becomes_a_dead_letter(edge: Edge) -> None:
    """A second request with different content is never merged with the first."""
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    other = {**REQUEST, "total_cents": 1}
    with capture_logs() as logs:
        assert await edge.deliver(names.APPROVALS_REQUESTED, other, "e-2") is Answer.DEAD_LETTER

    assert [(entry["event"], entry["subject"]) for entry in logs] == [("event_refused", "o-1")]
    assert "different content" in (await edge.dead())[0].reason
    assert (await edge.service.read("o-1")).total_cents == 60_000_00


async def test_a_different_decision_becomes_a_dead_letter(edge: Edge) -> None:
    """A different second decision becomes a dead letter, and the first stands."""
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    denial = {**DECISION, "approved": False}
    assert await edge.deliver(names.APPROVALS_DECISIONS, denial, "e-2") is Answer.DEAD_LETTER

    assert "already approved by ada" in (await edge.dead())[0].reason
    assert (await edge.service.read("o-1")).status == "approved"


@pytest.mark.parametrize(
    ("reason", "message"), [("approval_expired", "has passed"), ("failed", "no longer needs")]
)
async def test_a_decision_after_the_end_becomes_a_dead_letter(
    edge: Edge, reason: str, message: str
) -> None:
    """A decision about an expired or withdrawn request becomes a dead letter."""
    await edge.deliver(names.APPROVALS_WITHDRAWN, {**WITHDRAWAL, "reason": reason})
    await edge.deliver(names.APPROVALS_REQUESTED, REQUEST)

    assert await edge.deliver(names.APPROVALS_DECISIONS, DECISION) is Answer.DEAD_LETTER

    assert message in (await edge.dead())[0].reason


async def test_a_request_that_arrives_after_its_deadline_is_expired(edge: Edge) -> None:
    """A delayed request is stored, but never pending."""
    long_ago = (NOON - timedelta(days=1)).isoformat()

    await edge.deliver(names.APPROVALS_REQUESTED, {**REQUEST, "expires_at": long_ago})

    assert (await edge.service.read("o-1")).status == "expired"


async def test_an_unavailable_database_means_a_retry(edge: Edge, database: Database) -> None:
    """After a temporary failure the event is retried and does not become a dead letter."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    assert await edge.deliver(names.APPROVALS_REQUESTED, REQUEST) is Answer.ACKNOWLEDGE

    (error,) = await edge.errors()
    assert error.startswith("DatabaseUnavailable")
    assert await edge.dead() == []


MESSAGES: dict[str, dict[str, Any]] = {
    names.APPROVALS_REQUESTED: REQUEST,
    names.APPROVALS_DECISIONS: DECISION,
    names.APPROVALS_WITHDRAWN: WITHDRAWAL,
}


@FEW
@given(st.one_of([st.tuples(st.just(topic), odd(valid)) for topic, valid in MESSAGES.items()]))
async def test_no_data_raises_an_unexpected_error(edge: Edge, event: tuple[str, object]) -> None:
    """Every event is handled, rejected or waits for its request, whatever its data."""
    await edge.deliver(*event)

    waiting = "NotYetKnown: no approval was requested for order "
    assert all(error.startswith(waiting) for error in await edge.errors())


async def test_orders_reads_the_requests_on_record(edge: Edge) -> None:
    """They are found by id, with their decisions, or all pending ones page by page."""
    for order_id in ("o-1", "o-2", "o-3"):
        request = {**REQUEST, "order_id": order_id}
        await edge.deliver(names.APPROVALS_REQUESTED, request)
    await edge.deliver(names.APPROVALS_DECISIONS, DECISION)

    found = await edge.service.requests(RequestsWanted(order_ids=("o-3", "o-1", "nobody")))
    first = await edge.service.requests(RequestsWanted(limit=1))
    second = await edge.service.requests(RequestsWanted(limit=1, after=first.next))

    statuses = {each.order_id: each.status for each in found.requests}
    assert statuses == {"o-1": ApprovalStatus.APPROVED, "o-3": ApprovalStatus.PENDING}
    assert ([each.order_id for each in first.requests], first.next) == (["o-2"], "o-2")
    assert ([each.order_id for each in second.requests], second.next) == (["o-3"], None)
