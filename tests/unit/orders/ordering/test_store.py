"""The tables of orders: nothing twice, one owner, one final status."""

import asyncio

import pytest

from orderflow_contracts.orders import FINAL_STATUSES, OrderLine, OrderStatus, OrderSubmitted
from orders.ordering.records import OtherContent
from orders.ordering.store import OrderStore

LINES = (OrderLine(item="cars", quantity=11), OrderLine(item="paperclip", quantity=2))


def order(order_id: str = "o1", customer_id: str = "alice") -> OrderSubmitted:
    return OrderSubmitted(order_id=order_id, customer_id=customer_id, lines=LINES)


async def test_a_new_order_is_received(store: OrderStore) -> None:
    """An accepted order is kept with all that was asked, and its first status."""
    accepted = await store.accept(order())

    kept = await store.order("o1")
    assert kept is not None
    assert accepted.is_new
    assert (kept.customer_id, kept.lines, kept.status, kept.sequence) == (
        "alice",
        LINES,
        OrderStatus.RECEIVED,
        1,
    )
    assert [(entry.sequence, entry.status) for entry in kept.history] == [(1, "received")]
    assert kept.created_at == kept.updated_at == accepted.first.change.at


async def test_the_same_order_again_is_kept_once(store: OrderStore) -> None:
    """A duplicate is told the same first status, with its lines in any order."""
    first = await store.accept(order())
    turned = order().model_copy(update={"lines": LINES[::-1]})

    again = await store.accept(turned)

    assert (again.is_new, again.first) == (False, first.first)
    assert len(await store.changes(0, 10)) == 1


async def test_a_duplicate_is_told_how_far_the_order_is(store: OrderStore) -> None:
    """A late duplicate learns the present status, so that nothing is started again."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.COMPLETED)

    assert (await store.accept(order())).status is OrderStatus.COMPLETED


@pytest.mark.parametrize(
    "other",
    [
        order(customer_id="eve"),
        order().model_copy(update={"lines": LINES[:1]}),
        order().model_copy(update={"lines": (OrderLine(item="cars", quantity=12), LINES[1])}),
    ],
)
async def test_other_content_under_a_known_id_is_refused(
    store: OrderStore, other: OrderSubmitted
) -> None:
    """Two orders are never merged, and the first stays as it is."""
    await store.accept(order())
    before = await store.order("o1")

    with pytest.raises(OtherContent, match="o1"):
        await store.accept(other)
    assert await store.order("o1") == before


async def test_duplicates_at_once_make_one_order(store: OrderStore) -> None:
    """However many arrive together, exactly one is new."""
    accepted = await asyncio.gather(*(store.accept(order()) for _ in range(50)))

    assert sum(entry.is_new for entry in accepted) == 1


async def test_a_conflict_does_not_disturb_orders_beside_it(store: OrderStore) -> None:
    """Orders that share a commit with a refused one are kept."""
    await store.accept(order())

    results = await asyncio.gather(
        *(store.accept(order(f"n{number}")) for number in range(10)),
        store.accept(order(customer_id="eve")),
        return_exceptions=True,
    )

    assert [type(result) for result in results if isinstance(result, Exception)] == [OtherContent]
    assert len(await store.orders(None, 20, None)) == 11


async def test_statuses_are_counted_without_gaps(store: OrderStore) -> None:
    """Each order counts its own statuses from 1 on."""
    for order_id in ("o1", "o2"):
        await store.accept(order(order_id))
    for status in (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED):
        for order_id in ("o1", "o2"):
            await store.record(order_id, "run", status, total_cents=5)

    for order_id in ("o1", "o2"):
        kept = await store.order(order_id)
        assert kept is not None
        assert [entry.sequence for entry in kept.history] == [1, 2, 3, 4]
        assert (kept.sequence, kept.status, kept.total_cents) == (4, "completed", 5)


async def test_a_status_recorded_twice_is_one(store: OrderStore) -> None:
    """An activity that runs again records nothing more and gets the same answer."""
    await store.accept(order())

    first = await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)
    second = await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)

    assert first == second
    assert len(await store.changes(0, 10)) == 2


async def test_an_earlier_status_again_does_not_bring_the_order_back(store: OrderStore) -> None:
    """A late repetition of an earlier step leaves the order where it is."""
    await store.accept(order())
    reserved = await store.record("o1", "run", OrderStatus.RESERVED)
    await store.record("o1", "run", OrderStatus.PAID)

    assert await store.record("o1", "run", OrderStatus.RESERVED) == reserved
    kept = await store.order("o1")
    assert kept is not None
    assert kept.status is OrderStatus.PAID


@pytest.mark.parametrize("final", sorted(FINAL_STATUSES))
async def test_nothing_follows_a_final_status(store: OrderStore, final: OrderStatus) -> None:
    """Whatever comes afterwards, an order has exactly one final status."""
    await store.accept(order())
    ended = await store.record("o1", "run", final, reason="why")

    for status in OrderStatus:
        if status not in {final, OrderStatus.RECEIVED}:
            assert await store.record("o1", "run", status) is None
    assert await store.record("o1", "run", final, reason="other") == ended
    assert await store.reject_invalid("o1") is None

    kept = await store.order("o1")
    assert kept is not None
    assert [entry.status for entry in kept.history] == ["received", final]
    assert (kept.status, kept.reason) == (final, "why")


async def test_finals_at_once_leave_one(store: OrderStore) -> None:
    """Of several ends that come together exactly one is recorded."""
    await store.accept(order())

    records = await asyncio.gather(
        *(store.record("o1", "run", status) for status in FINAL_STATUSES)
    )

    assert sum(record is not None for record in records) == 1


async def test_the_first_run_that_records_owns_the_order(store: OrderStore) -> None:
    """A second run of the same order records nothing."""
    await store.accept(order())
    assert await store.may_belong_to("o1", "second")
    await store.record("o1", "first", OrderStatus.RESERVED)

    assert await store.record("o1", "second", OrderStatus.RESERVED) is None
    assert await store.record("o1", "second", OrderStatus.FAILED) is None
    assert not await store.may_belong_to("o1", "second")
    assert await store.may_belong_to("o1", "first")


async def test_an_unknown_order_records_nothing(store: OrderStore) -> None:
    """A status needs an order."""
    assert await store.record("nobody", "run", OrderStatus.RESERVED) is None
    assert not await store.may_belong_to("nobody", "run")
    assert await store.request_cancel("nobody") is None
    assert await store.order("nobody") is None


async def test_an_invalid_order_is_kept_as_rejected(store: OrderStore) -> None:
    """What could not be read has one status, also when it comes again."""
    first = await store.reject_invalid("o1")

    assert await store.reject_invalid("o1") == first
    kept = await store.order("o1")
    assert kept is not None
    assert (kept.status, kept.reason, kept.sequence) == ("rejected", "invalid", 1)


async def test_a_valid_order_after_an_invalid_one_is_other_content(store: OrderStore) -> None:
    """The id has its final status already."""
    await store.reject_invalid("o1")

    with pytest.raises(OtherContent):
        await store.accept(order())


async def test_an_invalid_order_under_a_real_id_leaves_the_order_alone(store: OrderStore) -> None:
    """Garbage cannot end somebody's order."""
    await store.accept(order())

    assert await store.reject_invalid("o1") is None
    kept = await store.order("o1")
    assert kept is not None
    assert kept.status is OrderStatus.RECEIVED


async def test_an_order_rejected_for_another_reason_is_no_invalid_one(store: OrderStore) -> None:
    """A rejection of a real order is not told again as that of an unreadable one."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.REJECTED, reason="out_of_stock")

    assert await store.reject_invalid("o1") is None


async def test_a_request_to_cancel_is_told_with_the_next_status(store: OrderStore) -> None:
    """The workflow learns of it wherever it records something."""
    await store.accept(order())
    before = await store.record("o1", "run", OrderStatus.RESERVED)
    assert await store.request_cancel("o1") is OrderStatus.RESERVED

    after = await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)

    assert before is not None
    assert after is not None
    assert (before.cancelled, after.cancelled) == (False, True)
    assert await store.cancels_to_hand_over() == ["o1"]


async def test_an_ended_order_is_not_cancelled(store: OrderStore) -> None:
    """A request that comes too late learns the final status and leaves nothing."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.COMPLETED)

    assert await store.request_cancel("o1") is OrderStatus.COMPLETED
    assert await store.cancels_to_hand_over() == []


async def test_unfinished_orders_are_found(store: OrderStore) -> None:
    """What has not ended is known after a crash, as it was submitted, with its run if any."""
    for order_id in ("o1", "o2", "o3"):
        await store.accept(order(order_id))
    await store.record("o2", "run", OrderStatus.RESERVED)
    await store.reject_invalid("o4")

    await store.record("o3", "other", OrderStatus.COMPLETED)

    pending = await store.unfinished()

    assert [(left.order, left.run_id) for left in pending] == [
        (order("o1"), None),
        (order("o2"), "run"),
    ]


async def test_orders_are_listed_newest_first_and_page_by_page(store: OrderStore) -> None:
    """Pages follow each other without gap or repetition, also when orders come meanwhile."""
    for number in range(5):
        await store.accept(order(f"o{number}"))

    first = await store.orders(None, 2, None)
    await store.accept(order("later"))
    second = await store.orders(None, 10, first[-1][0])

    assert [entry.order_id for _, entry in [*first, *second]] == ["o4", "o3", "o2", "o1", "o0"]


async def test_orders_are_listed_by_status(store: OrderStore) -> None:
    """A filter gives just the orders that have the status now."""
    for order_id in ("o1", "o2"):
        await store.accept(order(order_id))
    await store.record("o2", "run", OrderStatus.RESERVED)

    received = await store.orders(OrderStatus.RECEIVED, 10, None)

    assert [entry.order_id for _, entry in received] == ["o1"]


async def test_changes_are_read_in_their_order_from_any_position(store: OrderStore) -> None:
    """A reader takes up where it stopped."""
    assert await store.last_position() == 0
    await store.accept(order("o1"))
    await store.accept(order("o2"))
    await store.record("o1", "run", OrderStatus.RESERVED)

    everything = await store.changes(0, 10)

    assert [kept.change.event_id for kept in everything] == ["o1.1", "o2.1", "o1.2"]
    assert await store.changes(everything[0].position, 1) == [everything[1]]
    assert await store.last_position() == everything[-1].position


@pytest.mark.parametrize("status", [OrderStatus.AWAITING_APPROVAL, OrderStatus.PAID])
async def test_a_cancellation_is_handed_over_to_whoever_may_wait(
    store: OrderStore, status: OrderStatus
) -> None:
    """An order waits for an approver, or paid for who picks it; elsewhere it learns by itself."""
    await store.accept(order())
    await store.request_cancel("o1")
    assert await store.cancels_to_hand_over() == []

    await store.record("o1", "run", status)

    assert await store.cancels_to_hand_over() == ["o1"]
