"""An id is either an order's or that of an instance which the management API started."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from fakes.access import opened
from fakes.events import TopicsInMemory
from fakes.orders_ports import MemoryEngine, Promised
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orders.http import http_app
from orders.ordering.api import order_router, subscribe
from orders.ordering.feed import StatusFeed
from orders.ordering.records import IdOfOrder, IdTaken, Invalid
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.tables import DEAD_LETTERS, PARKED_EVENTS

TOPIC = "orders.submitted"
ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=11),)
)
DATA = ORDER.model_dump(mode="json", exclude_defaults=True)
UNNAMED = {name: value for name, value in DATA.items() if name != "order_id"}


def called(order_id: str) -> OrderSubmitted:
    return ORDER.model_copy(update={"order_id": order_id})


async def history(store: OrderStore, order_id: str = "o1") -> list[tuple[str, str | None]]:
    order = await store.order(order_id)
    assert order is not None
    assert [each.sequence for each in order.history] == [*range(1, len(order.history) + 1)]
    return [(each.status, each.reason) for each in order.history]


@pytest.fixture
def topics(database: Database, intake: Intake) -> TopicsInMemory:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe(topics.topics, intake)
    return topics


# The store


async def test_an_order_cannot_have_the_id_of_a_started_instance(store: OrderStore) -> None:
    """Nothing is stored, and orders with other ids are not affected."""
    await store.record_start("o1")

    with pytest.raises(IdTaken, match="o1"):
        await store.accept(ORDER)

    assert await store.order("o1") is None
    assert (await store.accept(called("o2"))).is_new


async def test_an_instance_cannot_have_the_id_of_an_order(store: OrderStore) -> None:
    """The order stays, and can be submitted again."""
    await store.accept(ORDER)

    with pytest.raises(IdOfOrder, match="o1 is the id of an order"):
        await store.record_start("o1")
    with pytest.raises(IdOfOrder):
        await store.check_no_order("o1")

    assert not (await store.accept(ORDER)).is_new


async def test_exactly_one_of_an_order_and_an_instance_gets_an_id(store: OrderStore) -> None:
    """However the two arrive."""
    ids = [f"id-{number}" for number in range(20)]
    attempts = [
        attempt
        for number, each in enumerate(ids)
        for attempt in [store.accept(called(each)), store.record_start(each)][:: number % 2 or -1]
    ]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    refusals = [type(result) for result in results if isinstance(result, Exception)]
    assert len(refusals) == len(ids)
    assert set(refusals) == {IdTaken, IdOfOrder}
    started = await store.started_until(now())
    placed = [order.order_id for _, order in await store.orders(None, 100, None)]
    assert sorted([*started, *placed]) == sorted(ids)


async def test_a_freed_id_can_be_used_by_an_order(store: OrderStore) -> None:
    """Freeing it again, or an id that is not taken, has no effect."""
    await store.record_start("o1")

    for instance_id in ("o1", "o1", "o2"):
        await store.forget_start(instance_id, now())

    assert (await store.accept(ORDER)).is_new
    assert await store.started_until(now()) == []


async def test_an_instance_that_was_started_again_stays_recorded(store: OrderStore) -> None:
    """The end of the first one does not free the id of the second."""
    await store.record_start("o1")
    between = now()
    await store.record_start("o1")

    await store.forget_start("o1", between)

    assert await store.started_until(between) == []
    assert await store.started_until(now()) == ["o1"]
    with pytest.raises(IdTaken):
        await store.accept(ORDER)


async def test_starts_are_listed_by_time(store: OrderStore) -> None:
    """Later ones are left out."""
    for instance_id in ("b", "a"):
        await store.record_start(instance_id)

    assert await store.started_until(now()) == ["b", "a"]
    assert await store.started_until(now() - timedelta(minutes=1)) == []


async def test_the_id_is_checked_after_an_invalid_submission_too(store: OrderStore) -> None:
    """Such a submission does not make the id an order's."""
    await store.record_start("o1")
    await store.reject_invalid("o1", Invalid("quantity is 0."))

    with pytest.raises(IdTaken):
        await store.accept(ORDER)
    assert await history(store) == [("rejected", "invalid")]


async def test_a_refused_order_does_not_block_the_instance_id(store: OrderStore) -> None:
    """Whoever publishes an order cannot thereby prevent that an instance is replaced."""
    await store.record_start("o1")
    await store.reject_invalid("o1", Invalid.taken(ORDER))

    await store.check_no_order("o1")
    await store.record_start("o1")


async def test_a_refused_order_continues_once_its_id_is_free(store: OrderStore) -> None:
    """It is then an order like any other, and its id cannot be taken again."""
    await store.record_start("o1")
    for _ in range(2):
        await store.reject_invalid("o1", Invalid.taken(ORDER))
    await store.forget_start("o1", now())

    accepted = await store.accept(ORDER)

    assert (accepted.is_new, accepted.first.change.sequence) == (True, 2)
    assert await history(store) == [("rejected", "id_taken"), ("received", None)]
    with pytest.raises(IdOfOrder):
        await store.record_start("o1")


# HTTP


async def test_a_taken_id_is_a_conflict_over_http(
    intake: Intake, store: OrderStore, feed: StatusFeed, engine: MemoryEngine
) -> None:
    """Also while the engine is away; no order and no status is stored."""
    engine.is_down = True
    await store.record_start("o1")
    transport = httpx.ASGITransport(opened(http_app(order_router(intake, store, feed))))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as http:
        refused = await http.post("/orders", json=DATA)
        read = await http.get("/orders/o1")

    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["code"]) == (409, "ID_TAKEN")
    assert "o1" in refused.json()["detail"]
    assert read.status_code == 404


# Events


@pytest.mark.parametrize("is_down", [False, True])
async def test_an_event_with_a_taken_id_is_refused(
    topics: TopicsInMemory,
    store: OrderStore,
    engine: MemoryEngine,
    publisher: Promised,
    *,
    is_down: bool,
) -> None:
    """It becomes a dead letter and a published rejection, whether or not the engine is there."""
    engine.is_down = is_down
    await store.record_start("o1")

    assert await topics.deliver(TOPIC, DATA) is Answer.DEAD_LETTER

    (dead_letter,) = await topics.dead()
    assert dead_letter.subject == "o1"
    assert dead_letter.reason.startswith("id_taken: ")
    (change,) = publisher.statuses
    assert (change.order_id, change.sequence) == ("o1", 1)
    assert (change.status, change.reason) == ("rejected", "id_taken")
    assert "another workflow" in (change.detail or "")
    order = await store.order("o1")
    assert order is not None
    assert (order.customer_id, order.lines) == (ORDER.customer_id, ORDER.lines)
    assert list(engine.runs) == []


async def test_a_refused_event_is_accepted_once_its_id_is_free(
    topics: TopicsInMemory, store: OrderStore, engine: MemoryEngine
) -> None:
    """This is what resending the dead letter does."""
    await store.record_start("o1")
    await topics.deliver(TOPIC, DATA)
    await store.forget_start("o1", now())

    assert await topics.deliver(TOPIC, DATA) is Answer.ACKNOWLEDGE

    assert len(engine.runs["o1"]) == 1
    assert await history(store) == [("rejected", "id_taken"), ("received", None)]


async def test_an_event_that_names_its_order_by_a_taken_id_is_refused(
    topics: TopicsInMemory, store: OrderStore
) -> None:
    """Redeliveries find the same order, also after the id is free."""
    await store.record_start("event-7")

    for _ in range(2):
        assert await topics.deliver(TOPIC, UNNAMED, "event-7") is Answer.DEAD_LETTER
    await store.forget_start("event-7", now())
    assert await topics.deliver(TOPIC, UNNAMED, "event-7") is Answer.ACKNOWLEDGE

    assert await history(store, "event-7") == [("rejected", "id_taken"), ("received", None)]
    assert len(await store.orders(None, 10, None)) == 1
