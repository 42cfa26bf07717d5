"""A rejection as invalid ends a submission; the first valid one continues the order."""

import asyncio

import pytest

from fakes.orders_ports import MemoryEngine, Promised
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orders.batches.service import entries_of
from orders.batches.store import BatchStore
from orders.board.search import OrderFilter
from orders.board.store import BoardStore
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import Notice, Recorded
from orders.ordering.records import Invalid, OtherContent
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=11),)
)
OTHER = ORDER.model_copy(update={"customer_id": "eve"})
INVALID = Invalid("quantity is 0.", "bob", (OrderLine(item="computers", quantity=2),))


async def history(store: OrderStore) -> list[tuple[int, str, str | None, str | None]]:
    order = await store.order("o1")
    assert order is not None
    assert (order.sequence, order.status) == (order.history[-1].sequence, order.history[-1].status)
    return [(each.sequence, each.status, each.reason, each.detail) for each in order.history]


async def test_a_rejection_has_what_could_be_read(store: OrderStore) -> None:
    """The customer, the valid lines and the detail."""
    await store.reject_invalid("o1", INVALID)

    order = await store.order("o1")
    assert order is not None
    assert (order.customer_id, order.lines) == ("bob", INVALID.lines)
    assert (order.status, order.reason, order.detail) == ("rejected", "invalid", "quantity is 0.")
    assert await history(store) == [(1, "rejected", "invalid", "quantity is 0.")]


async def test_the_first_valid_submission_continues(store: OrderStore) -> None:
    """However many invalid ones came before; nothing of these stays but the status."""
    for detail in ("quantity is 0.", "quantity is -1."):
        rejected = await store.reject_invalid("o1", Invalid(detail, "bob", INVALID.lines))
        assert rejected.stored is not None
        assert rejected.stored.change.detail == "quantity is 0."

    accepted = await store.accept(ORDER)

    assert (accepted.is_new, accepted.first.change.sequence) == (True, 2)
    order = await store.order("o1")
    assert order is not None
    assert (order.customer_id, order.lines) == ("alice", ORDER.lines)
    assert (order.reason, order.detail) == (None, None)
    assert await history(store) == [
        (1, "rejected", "invalid", "quantity is 0."),
        (2, "received", None, None),
    ]


async def test_later_submissions_change_nothing(store: OrderStore) -> None:
    """Neither invalid ones, nor copies, nor other content."""
    await store.reject_invalid("o1", INVALID)
    await store.accept(ORDER)

    assert (await store.reject_invalid("o1", INVALID)).stored is None
    again = await store.accept(ORDER)
    assert (again.is_new, again.first.change.sequence) == (False, 2)
    with pytest.raises(OtherContent):
        await store.accept(OTHER)

    assert len(await history(store)) == 2
    assert len(await store.changes(0, 10)) == 2


async def test_a_continued_order_can_be_rejected_for_another_reason(store: OrderStore) -> None:
    """Repeating that changes nothing, and nothing follows."""
    await store.reject_invalid("o1", INVALID)
    await store.accept(ORDER)
    first = await store.record(
        "o1", "run", OrderStatus.REJECTED, reason="out_of_stock", detail="None is available."
    )

    again = await store.record("o1", "run", OrderStatus.REJECTED, reason="out_of_stock")
    late = await store.record("o1", "run", OrderStatus.COMPLETED)

    assert first is not None
    assert (again, late) == (first, None)
    assert (await store.reject_invalid("o1", INVALID)).stored is None
    assert (await history(store))[-1] == (3, "rejected", "out_of_stock", "None is available.")


async def test_one_run_is_started_whatever_arrives_at_once(
    intake: Intake, engine: MemoryEngine, store: OrderStore
) -> None:
    """Valid and invalid submissions, many times over."""
    valid = [intake.submit(ORDER) for _ in range(20)]
    invalid = [intake.reject_invalid("o1", INVALID) for _ in range(20)]
    await asyncio.gather(*(each for pair in zip(invalid, valid, strict=True) for each in pair))

    assert len(engine.runs["o1"]) == 1
    assert [entry[:2] for entry in await history(store)] == [(1, "rejected"), (2, "received")]


async def test_the_run_publishes_all_first_statuses_in_sequence(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    publisher: Promised,
    store: OrderStore,
) -> None:
    """Even if the process died before it had published the rejection."""
    await store.reject_invalid("o1", INVALID)
    await intake.submit(ORDER)
    (run,) = engine.runs["o1"]
    notice = Notice(
        order_id="o1",
        run_id=run.run_id,
        status=OrderStatus.RECEIVED,
        received_at=run.received_at,
    )

    assert await activities.notify_activity(None, notice) == Recorded()  # type: ignore[arg-type] # it needs none

    published = [stored.change for stored in await store.changes(0, 10)]
    assert publisher.statuses == published
    assert [change.event_id for change in published] == ["o1.1", "o1.2"]


async def test_the_board_follows(store: OrderStore, database: Database) -> None:
    """The counts and the items are those of the valid order."""
    board = BoardStore(database)
    await store.reject_invalid("o1", INVALID)
    assert (await board.counts())[OrderStatus.REJECTED] == 1
    assert (await board.search(OrderFilter(item="computers"), 10)).orders != ()

    await store.accept(ORDER)

    counts = await board.counts()
    assert (counts[OrderStatus.REJECTED], counts[OrderStatus.RECEIVED]) == (0, 1)
    assert (await board.search(OrderFilter(item="computers"), 10)).orders == ()
    (found,) = (await board.search(OrderFilter(item="CARS", customer_id="Alice"), 10)).orders
    assert found.order_id == "o1"
    await store.record("o1", "run", OrderStatus.COMPLETED)
    assert await board.sold() == {"cars": 11}


async def test_a_batch_continues_and_explains(store: OrderStore, database: Database) -> None:
    """It runs an order that only invalid submissions had named, and rejects with details."""
    await store.reject_invalid("o1", INVALID)
    bad = {"order_id": "o2", "customer_id": "bob", "lines": [{"item": "cars", "quantity": 0}]}
    batch = BatchSubmitted(batch_id="b1", orders=(ORDER.model_dump(mode="json"), bad))

    stored = await BatchStore(database).save("b1", entries_of(batch))

    assert [first.change.event_id for first in stored.first] == ["o1.2", "o2.1"]
    assert await store.is_run_by_batch("o1")
    rejected = await store.order("o2")
    assert rejected is not None
    assert rejected.customer_id == "bob"
    assert rejected.detail is not None
    assert rejected.detail.startswith("lines.0.quantity is 0: ")
