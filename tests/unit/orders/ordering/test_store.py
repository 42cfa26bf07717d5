"""The tables of orders: no duplicates, one owning run, one final status."""

import asyncio

import pytest
from sqlalchemy import select, update

from orderflow_contracts.fields import now
from orderflow_contracts.orders import FINAL_STATUSES, OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orders.ordering.records import Cancellation, ChargeStart, OtherContent, Record, Standing
from orders.ordering.store import OrderStore
from orders.tables import ORDERS

LINES = (OrderLine(item="cars", quantity=11), OrderLine(item="paperclip", quantity=2))

select_compensation = select(ORDERS.c.compensation)


def order(order_id: str = "o1", customer_id: str = "alice") -> OrderSubmitted:
    return OrderSubmitted(order_id=order_id, customer_id=customer_id, lines=LINES)


async def test_a_new_order_is_received(store: OrderStore) -> None:
    """It is stored completely, with its first status."""
    accepted = await store.accept(order())

    stored = await store.order("o1")
    assert stored is not None
    assert accepted.is_new
    assert (stored.customer_id, stored.lines, stored.status, stored.sequence) == (
        "alice",
        LINES,
        OrderStatus.RECEIVED,
        1,
    )
    assert [(entry.sequence, entry.status) for entry in stored.history] == [(1, "received")]
    assert stored.created_at == stored.updated_at == accepted.first.change.at


async def test_a_duplicate_is_stored_once(store: OrderStore) -> None:
    """It gets the same first status, with its lines in any order."""
    first = await store.accept(order())
    turned = order().model_copy(update={"lines": LINES[::-1]})

    again = await store.accept(turned)

    assert (again.is_new, again.first) == (False, first.first)
    assert len(await store.changes(0, 10)) == 1


async def test_a_late_duplicate_gets_the_current_status(store: OrderStore) -> None:
    """Nothing is started again."""
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
    """The first order stays unchanged."""
    await store.accept(order())
    before = await store.order("o1")

    with pytest.raises(OtherContent, match="o1"):
        await store.accept(other)
    assert await store.order("o1") == before


async def test_concurrent_duplicates_make_one_order(store: OrderStore) -> None:
    """Exactly one of them is new."""
    accepted = await asyncio.gather(*(store.accept(order()) for _ in range(50)))

    assert sum(entry.is_new for entry in accepted) == 1


async def test_a_conflict_does_not_affect_orders_in_the_same_commit(store: OrderStore) -> None:
    """The others are stored."""
    await store.accept(order())

    results = await asyncio.gather(
        *(store.accept(order(f"n{number}")) for number in range(10)),
        store.accept(order(customer_id="eve")),
        return_exceptions=True,
    )

    assert [type(result) for result in results if isinstance(result, Exception)] == [OtherContent]
    assert len(await store.orders(None, 20, None)) == 11


async def test_statuses_are_numbered_without_gaps(store: OrderStore) -> None:
    """Each order numbers its own statuses from 1."""
    for order_id in ("o1", "o2"):
        await store.accept(order(order_id))
    for status in (OrderStatus.RESERVED, OrderStatus.PAID, OrderStatus.COMPLETED):
        for order_id in ("o1", "o2"):
            await store.record(order_id, "run", status, total_cents=5)

    for order_id in ("o1", "o2"):
        stored = await store.order(order_id)
        assert stored is not None
        assert [entry.sequence for entry in stored.history] == [1, 2, 3, 4]
        assert (stored.sequence, stored.status, stored.total_cents) == (4, "completed", 5)


async def test_recording_a_status_twice_has_no_effect(store: OrderStore) -> None:
    """An activity that runs again gets the same answer."""
    await store.accept(order())

    first = await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)
    second = await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)

    assert first == second
    assert len(await store.changes(0, 10)) == 2


async def test_repeating_an_earlier_status_changes_nothing(store: OrderStore) -> None:
    """The order keeps its current status."""
    await store.accept(order())
    reserved = await store.record("o1", "run", OrderStatus.RESERVED)
    await store.record("o1", "run", OrderStatus.PAID)

    assert await store.record("o1", "run", OrderStatus.RESERVED) == reserved
    stored = await store.order("o1")
    assert stored is not None
    assert stored.status is OrderStatus.PAID


@pytest.mark.parametrize("final", sorted(FINAL_STATUSES))
async def test_nothing_follows_a_final_status(store: OrderStore, final: OrderStatus) -> None:
    """An order has exactly one final status."""
    await store.accept(order())
    ended = await store.record("o1", "run", final, reason="why")

    for status in OrderStatus:
        if status not in {final, OrderStatus.RECEIVED}:
            assert await store.record("o1", "run", status) is None
    assert await store.record("o1", "run", final, reason="other") == ended
    assert (await store.reject_invalid("o1")).stored is None

    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == ["received", final]
    assert (stored.status, stored.reason) == (final, "why")


async def test_one_of_several_concurrent_final_statuses_is_recorded(store: OrderStore) -> None:
    """The others are refused."""
    await store.accept(order())

    records = await asyncio.gather(
        *(store.record("o1", "run", status) for status in FINAL_STATUSES)
    )

    assert sum(record is not None for record in records) == 1


async def test_the_run_recorded_with_the_order_owns_it(store: OrderStore) -> None:
    """Any other run records nothing, also before the owner has recorded anything."""
    accepted = await store.accept(order())
    assert accepted.run_id == "run"
    assert not await store.may_belong_to("o1", "second")
    assert await store.record("o1", "second", OrderStatus.RESERVED) is None
    assert await store.may_belong_to("o1", "run")

    recorded = await store.record("o1", "run", OrderStatus.RESERVED)

    assert recorded is not None
    assert recorded.stored is not None
    assert recorded.stored.change.sequence == 2
    assert await store.record("o1", "second", OrderStatus.FAILED) is None
    assert not await store.may_belong_to("o1", "second")


async def test_the_first_run_that_records_owns_an_order_of_an_earlier_version(
    store: OrderStore, database: Database
) -> None:
    """A second run of the same order records nothing."""
    await store.accept(order())
    await database.write(lambda connection: connection.execute(update(ORDERS).values(run_id=None)))
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


async def test_an_invalid_order_is_stored_as_rejected(store: OrderStore) -> None:
    """A repetition adds no status."""
    first = await store.reject_invalid("o1")

    assert await store.reject_invalid("o1") == first
    stored = await store.order("o1")
    assert stored is not None
    assert (stored.status, stored.reason, stored.sequence) == ("rejected", "invalid", 1)


async def test_an_invalid_order_with_a_known_id_changes_nothing(store: OrderStore) -> None:
    """Invalid events cannot end an existing order."""
    await store.accept(order())

    assert (await store.reject_invalid("o1")).stored is None
    stored = await store.order("o1")
    assert stored is not None
    assert stored.status is OrderStatus.RECEIVED


async def test_a_valid_rejected_order_is_not_published_as_invalid(store: OrderStore) -> None:
    """Its rejection is not repeated for an unreadable event with its id."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.REJECTED, reason="out_of_stock")

    assert (await store.reject_invalid("o1")).stored is None


async def test_a_cancellation_before_the_charge_leaves_the_end_to_the_run(
    store: OrderStore,
) -> None:
    """From then on the run may only compensate, and it records the end when it has."""
    await store.accept(order())
    before = await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)
    assert await store.standing("o1", "run") is Standing.MAY_ACT

    cancellation = await store.request_cancel("o1")

    assert cancellation == Cancellation(OrderStatus.RESERVED, is_before_charge=True)
    assert await store.standing("o1", "run") is Standing.CANCELLED
    assert await store.start_charge("o1", "run") == ChargeStart(Standing.CANCELLED)
    assert await store.cancels_to_end() == ["o1"]
    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == ["received", "reserved"]
    reason = "cancelled_on_request"
    after = await store.record("o1", "run", OrderStatus.CANCELLED, reason=reason, total_cents=5)
    assert before is not None
    assert before.cancelled is False
    assert after is not None
    assert after.stored is not None
    assert (after.cancelled, after.stored.change.sequence) == (True, 3)
    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == ["received", "reserved", "cancelled"]
    assert (stored.reason, stored.total_cents) == (reason, 5)
    assert await store.cancels_to_end() == await store.cancels_to_hand_over() == []
    assert await store.unfinished() == []
    assert await store.end_cancelled("o1") is None


async def test_a_cancelled_order_ends_before_its_run_does(store: OrderStore) -> None:
    """Its workflow learns of it with its next status, which is not recorded."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.RESERVED, total_cents=5)
    assert await store.end_cancelled("o1") is None
    await store.request_cancel("o1")

    end = await store.end_cancelled("o1")

    assert end is not None
    assert await store.standing("o1", "run") is Standing.CANCELLED
    assert await store.start_charge("o1", "run") == ChargeStart(Standing.CANCELLED)
    after = await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL)
    assert after == Record(None, cancelled=True)
    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == ["received", "reserved", "cancelled"]
    assert stored.history[-1].sequence == end.change.sequence == 3
    assert (stored.reason, stored.total_cents) == ("cancelled_on_request", 5)
    assert await store.cancels_to_hand_over() == ["o1"]
    assert await store.cancels_to_end() == []
    assert await store.end_cancelled("o1") is None


async def test_a_cancelled_order_does_not_end_while_its_charge_may_be_made(
    store: OrderStore,
) -> None:
    """Once it is known that nothing was charged, it ends."""
    await store.accept(order())
    start = await store.start_charge("o1", "run")
    cancellation = await store.request_cancel("o1")
    assert cancellation == Cancellation(OrderStatus.RECEIVED, is_before_charge=False)
    assert await store.cancels_to_end() == []
    assert await store.end_cancelled("o1") is None

    standing, end = await store.nothing_charged("o1", "run", start.sent_at)

    assert standing is Standing.CANCELLED
    assert end is not None
    assert end.change.status is OrderStatus.CANCELLED


@pytest.mark.parametrize(
    ("end", "compensation"), [("rejected", None), ("failed", None), ("needs_attention", "failed")]
)
async def test_an_order_that_was_cancelled_before_its_charge_ends_as_cancelled(
    store: OrderStore, database: Database, end: str, compensation: str | None
) -> None:
    """Its step may end it in another way meanwhile: the cancellation was accepted first."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.RESERVED)
    await store.request_cancel("o1")

    for _ in range(2):  # the activity may run again
        record = await store.record("o1", "run", OrderStatus(end), reason="why", detail="words")
        assert record is not None
        assert record.cancelled
        stored = await store.order("o1")
        assert stored is not None
        assert [entry.status for entry in stored.history] == ["received", "reserved", "cancelled"]
        assert (stored.reason, stored.detail) == ("cancelled_on_request", None)
        left = await database.read(lambda connection: connection.scalar(select_compensation))
        assert left == compensation
    assert await store.unfinished() == []


@pytest.mark.parametrize("end", ["rejected", "failed", "needs_attention"])
async def test_a_charge_that_was_sent_first_decides_how_a_cancelled_order_ends(
    store: OrderStore, end: str
) -> None:
    """The cancellation was accepted under the condition that nothing had been charged."""
    await store.accept(order())
    await store.start_charge("o1", "run")
    await store.request_cancel("o1")

    await store.record("o1", "run", OrderStatus(end), reason="why")

    stored = await store.order("o1")
    assert stored is not None
    assert (stored.status, stored.reason) == (end, "why")


async def test_a_cancellation_after_the_charge_is_returned_with_the_next_status(
    store: OrderStore,
) -> None:
    """The workflow learns of it whenever it records a status, and records the end itself."""
    await store.accept(order())
    before = await store.record("o1", "run", OrderStatus.PAID)
    assert await store.request_cancel("o1") == Cancellation(OrderStatus.PAID)
    assert await store.cancels_to_hand_over() == ["o1"]

    again = await store.record("o1", "run", OrderStatus.PAID)
    after = await store.record("o1", "run", OrderStatus.CANCELLED)

    assert before is not None
    assert again is not None
    assert after is not None
    assert (before.cancelled, again.cancelled, after.cancelled) == (False, True, True)
    assert after.stored is not None
    assert await store.cancels_to_hand_over() == []
    assert await store.unfinished() == []


async def test_an_ended_order_is_not_cancelled(store: OrderStore) -> None:
    """A late request gets the final status, and nothing is recorded."""
    await store.accept(order())
    await store.record("o1", "run", OrderStatus.COMPLETED)

    assert await store.request_cancel("o1") == Cancellation(OrderStatus.COMPLETED)
    assert await store.cancels_to_hand_over() == []


async def test_unfinished_orders_are_found(store: OrderStore) -> None:
    """After a crash each is found as submitted, with its run."""
    for order_id in ("o1", "o2", "o3"):
        await store.accept(order(order_id))
    await store.record("o2", "run", OrderStatus.RESERVED)
    await store.reject_invalid("o4")

    await store.record("o3", "run", OrderStatus.COMPLETED)

    pending = await store.unfinished()

    assert [(left.order, left.status, left.run_id) for left in pending] == [
        (order("o1"), "received", "run"),
        (order("o2"), "reserved", "run"),
    ]


@pytest.mark.parametrize(
    ("last", "is_left"), [("cancelled", False), ("needs_attention", False), ("reserved", True)]
)
async def test_a_cancelled_order_is_left_until_its_run_has_compensated(
    store: OrderStore, last: str, *, is_left: bool
) -> None:
    """A crash before that leaves it to the next process; its status does not change again."""
    await store.accept(order())
    await store.request_cancel("o1")
    await store.end_cancelled("o1")
    (left,) = await store.unfinished()
    assert (left.status, left.run_id) == ("cancelled", "run")

    await store.record("o1", "run", OrderStatus(last))

    assert [each.order.order_id for each in await store.unfinished()] == ["o1"] * is_left
    assert [each.status for each in await store.unfinished()] == ["cancelled"] * is_left
    stored = await store.order("o1")
    assert stored is not None
    assert [entry.status for entry in stored.history] == ["received", "cancelled"]


async def test_orders_are_listed_newest_first_and_page_by_page(store: OrderStore) -> None:
    """Pages have no gap or repetition, even while new orders arrive."""
    for number in range(5):
        await store.accept(order(f"o{number}"))

    first = await store.orders(None, 2, None)
    await store.accept(order("later"))
    second = await store.orders(None, 10, first[-1][0])

    assert [entry.order_id for _, entry in [*first, *second]] == ["o4", "o3", "o2", "o1", "o0"]


async def test_orders_are_listed_by_status(store: OrderStore) -> None:
    """Only orders with this current status are listed."""
    for order_id in ("o1", "o2"):
        await store.accept(order(order_id))
    await store.record("o2", "run", OrderStatus.RESERVED)

    received = await store.orders(OrderStatus.RECEIVED, 10, None)

    assert [entry.order_id for _, entry in received] == ["o1"]


async def test_changes_are_read_in_order_from_any_position(store: OrderStore) -> None:
    """A reader resumes where it stopped."""
    assert await store.last_position() == 0
    assert await store.stored_positions() == (0, 0)
    await store.accept(order("o1"))
    await store.accept(order("o2"))
    await store.record("o1", "run", OrderStatus.RESERVED)

    everything = await store.changes(0, 10)

    assert [stored.change.event_id for stored in everything] == ["o1.1", "o2.1", "o1.2"]
    assert await store.changes(everything[0].position, 1) == [everything[1]]
    assert await store.last_position() == everything[-1].position
    assert await store.stored_positions() == (0, everything[-1].position)


@pytest.mark.parametrize("status", [OrderStatus.AWAITING_APPROVAL, OrderStatus.PAID])
async def test_a_requested_cancellation_is_handed_over_only_to_waiting_orders(
    store: OrderStore, database: Database, status: OrderStatus
) -> None:
    """They wait for an approver or, once paid, for picking; other orders find it by themselves.

    An earlier version recorded such requests before the charge as well.
    """
    await store.accept(order())
    requested = update(ORDERS).values(cancel_requested_at=now())
    await database.write(lambda connection: connection.execute(requested))
    assert await store.cancels_to_hand_over() == []

    await store.record("o1", "run", status)

    assert await store.cancels_to_hand_over() == ["o1"]


@pytest.mark.parametrize(
    "status", ["received", "reserved", "awaiting_approval", "approved", "paid"]
)
async def test_a_cancellation_is_handed_over_until_the_run_has_ended(
    store: OrderStore, status: str
) -> None:
    """The run of an order that has ended may wait for something, and has to compensate.

    Until then, only an order that waits for a person must be woken.
    """
    await store.accept(order())
    if status != "received":
        await store.record("o1", "run", OrderStatus(status))

    await store.request_cancel("o1")

    waits = status in {"awaiting_approval", "paid"}
    assert await store.cancels_to_hand_over() == ["o1"] * waits
    assert await store.waits_for_cancel("o1") is waits
    assert (await store.end_cancelled("o1") is None) is (status == "paid")
    assert await store.cancels_to_hand_over() == ["o1"]
    assert await store.waits_for_cancel("o1")
    await store.record("o1", "run", OrderStatus.CANCELLED, reason="cancelled_on_request")
    assert await store.cancels_to_hand_over() == []
    assert not await store.waits_for_cancel("o1")
