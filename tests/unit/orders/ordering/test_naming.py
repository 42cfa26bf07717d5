"""Events without an order id name their orders by source and id."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, StaticPool, create_engine, select, update

from fakes.events import TopicsInMemory, cloud_event
from fakes.orders_ports import MemoryEngine, Promised
from fakes.schemas import FromModels
from orderflow_contracts.order_ids import id_of_event
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orders.ordering.api import subscribe
from orders.ordering.changes import accept_within
from orders.ordering.naming import NamingEvent
from orders.ordering.records import Invalid, OtherContent
from orders.ordering.rejecting import reject_within
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.tables import DEAD_LETTERS, NOT_RECORDED, ORDERS, PARKED_EVENTS, STATUSES, TABLES

TOPIC = "orders.submitted"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SHORT = {"item": "cars", "quantity": 11}
LINES = (OrderLine(item="cars", quantity=1),)


@dataclass(frozen=True)
class Submission:
    """An event that does not name its order or, without a source, an order placed under this id."""

    id: str
    source: str | None
    is_valid: bool

    @property
    def customer(self) -> str:
        """Says whose content an order has."""
        return f"{self.source} {self.id}"

    def take_effect(self, connection: Connection) -> str | None:
        """Store it; return the order's id, or None if the id belongs to another order."""
        event = None if self.source is None else NamingEvent(self.source, self.id)
        order_id = self.id if event is None else event.key
        if not self.is_valid:
            return reject_within(connection, order_id, Invalid("No."), NOW, event).order_id
        order = OrderSubmitted(order_id=order_id, customer_id=self.customer, lines=LINES)
        try:
            return accept_within(connection, order, "run", NOW, event).order.order_id
        except OtherContent:
            return None


@st.composite
def _submissions(draw: st.DrawFn) -> list[Submission]:
    """Draw deliveries in any order; an event is as valid at each delivery as at the first."""
    ids = st.sampled_from(["x", "y", "urn:uuid:7.1"])
    events = st.tuples(ids, st.sampled_from(["/a", "/b"]))
    wrong = draw(st.sets(events))
    event = events.map(lambda key: Submission(*key, is_valid=key not in wrong))
    placed = st.builds(Submission, st.sampled_from(["x", "y"]), st.none(), st.booleans())
    return draw(st.lists(event | placed))


@contextmanager
def _tables() -> Iterator[Connection]:
    file = sqlite3.connect(":memory:", check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: file, poolclass=StaticPool)
    with engine.connect() as connection:
        FromModels(TABLES).check(connection)
        yield connection
    engine.dispose()


@settings(max_examples=300, deadline=None)
@given(_submissions())
def test_each_event_has_its_own_order_in_any_interleaving(
    submissions: Sequence[Submission],
) -> None:
    """A redelivery finds the same order, and no two valid submissions share one."""
    with _tables() as connection:
        orders: dict[Submission, str | None] = {}
        for submission in submissions:
            order_id = submission.take_effect(connection)
            if submission.source is not None:
                assert order_id is not None
                assert orders.setdefault(submission, order_id) == order_id
            elif order_id is not None:
                orders[submission] = order_id

        of_events = [orders[each] for each in orders if each.source is not None]
        assert len(of_events) == len(set(of_events))
        customers = {
            row.order_id: row.customer_id for row in connection.execute(select(ORDERS)).all()
        }
        for submission, order_id in orders.items():
            if submission.is_valid and order_id is not None:
                assert customers[order_id] == submission.customer
        _check_histories(connection)


def _check_histories(connection: Connection) -> None:
    """Each order is rejected at most once, before it is received at most once."""
    for row in connection.execute(select(ORDERS)).all():
        of_order = select(STATUSES.c.sequence, STATUSES.c.status)
        of_order = of_order.where(STATUSES.c.order_id == row.order_id).order_by(STATUSES.c.position)
        history = [tuple(entry) for entry in connection.execute(of_order)]
        assert history in (
            [(1, "received")],
            [(1, "rejected")],
            [(1, "rejected"), (2, "received")],
        )
        assert (row.sequence, row.status) == history[-1]


def test_an_order_of_an_earlier_version_keeps_its_event() -> None:
    """It is not known which event named it, so one with its id counts as that one."""
    with _tables() as connection:
        first = Submission("x", "/a", is_valid=True)
        assert first.take_effect(connection) == "x"
        connection.execute(update(ORDERS).values(event_key=NOT_RECORDED))

        assert first.take_effect(connection) == "x"
        assert Submission("x", "/b", is_valid=True).take_effect(connection) is None


@pytest.fixture
def topics(database: Database, intake: Intake) -> TopicsInMemory:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe(topics.topics, intake)
    return topics


async def test_events_of_two_sources_with_one_id_are_two_orders(
    topics: TopicsInMemory, engine: MemoryEngine
) -> None:
    """Each is started once, however often it is delivered."""
    for source in ("/a", "/b", "/b", "/a"):
        event = cloud_event(SHORT, "event-7", source=source)
        assert await topics.app.events[TOPIC](event) is Answer.ACKNOWLEDGE

    assert {order_id: len(runs) for order_id, runs in engine.runs.items()} == {
        "event-7": 1,
        id_of_event("/b", "event-7"): 1,
    }


async def test_the_id_of_a_placed_order_does_not_stand_for_an_event(
    topics: TopicsInMemory, engine: MemoryEngine, intake: Intake
) -> None:
    """The event gets an order of its own, even with the same content."""
    placed = OrderSubmitted.model_validate({**SHORT, "order_id": "event-7"})
    await intake.submit(placed)

    await topics.deliver(TOPIC, SHORT, "event-7")

    assert set(engine.runs) == {"event-7", id_of_event("test", "event-7")}
    found = await topics.find(TOPIC, SHORT, "event-7")
    assert found is not None
    assert found.id == id_of_event("test", "event-7")


async def test_an_id_that_cannot_be_an_order_id_gives_a_derived_one(
    topics: TopicsInMemory, engine: MemoryEngine
) -> None:
    """For example a URN; and nothing becomes a dead letter."""
    for _ in range(2):
        assert await topics.deliver(TOPIC, SHORT, "urn:uuid:7.1") is Answer.ACKNOWLEDGE

    (order_id,) = engine.runs
    assert order_id == id_of_event("test", "urn:uuid:7.1")
    assert len(engine.runs[order_id]) == 1


async def test_an_invalid_event_is_corrected_under_its_own_identity(
    topics: TopicsInMemory, store: OrderStore
) -> None:
    """The valid event of the same source continues its order."""
    assert await topics.deliver(TOPIC, {"item": "cars"}, "urn:7") is Answer.DEAD_LETTER
    assert await topics.deliver(TOPIC, SHORT, "urn:7") is Answer.ACKNOWLEDGE

    order = await store.order(id_of_event("test", "urn:7"))
    assert order is not None
    assert [entry.status for entry in order.history] == ["rejected", "received"]
    (letter,) = await topics.dead()
    assert letter.subject == order.order_id


async def test_bare_data_without_an_order_id_is_invalid(
    topics: TopicsInMemory, publisher: Promised, engine: MemoryEngine
) -> None:
    """It has no envelope, so there is nothing by which a redelivery could be recognised."""
    raw = b'{"item": "cars", "quantity": 11}'
    assert await topics.app.events[TOPIC](raw) is Answer.DEAD_LETTER

    (letter,) = await topics.dead()
    assert letter.reason == "invalid: order_id: Field required"
    assert (publisher.statuses, engine.runs) == ([], {})
