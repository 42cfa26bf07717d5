"""The activities of the order workflow: each may run twice, and has its effect once."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from dapr.ext.workflow import WorkflowActivityContext
from sqlalchemy import delete, update

from fakes.dying_payments import POINTS, Bank, Deaths, Died, DyingStore, Point
from fakes.orders_ports import MemoryEngine, Promised, RoomInventory
from fakes.outboxes import fail_once
from orderflow_contracts.inventory import CommitRequest
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderStatusChanged, OrderSubmitted
from orderflow_hosting.database import Database
from orderflow_hosting.outbox.table import OUTBOX
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import Notice, OrderRun, Recorded, Undoing
from orders.ordering.steps import ApprovalWanted, Charge, Charged, Verification, Verified
from orders.ordering.store import OrderStore
from orders.payments.service import RecordedPayments
from orders.tables import STATUSES

CONTEXT = cast(WorkflowActivityContext, None)
LINES = (OrderLine(item="cars", quantity=2),)
TOTAL = 30_000_00
RUN: dict[str, Any] = {"order_id": "o1", "run_id": "run"}
BATCH = OrderRun(
    order_id="b1",
    run_id="run",
    approval_threshold_cents=0,
    approval_timeout_seconds=1,
    retry_timeout_seconds=1,
)
OTHER_RUN: dict[str, Any] = {"order_id": "o1", "run_id": "run-2"}
UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
DOWN = ConnectionError("does not answer")


@pytest.fixture(autouse=True)
async def received(store: OrderStore) -> OrderStatusChanged:
    order = OrderSubmitted(order_id="o1", customer_id="alice", lines=LINES)
    return (await store.accept(order)).first.change


def notice(run: dict[str, Any], status: OrderStatus, **more: Any) -> Notice:
    return Notice(**run, status=status, received_at=UNTIL, **more)


def wanted(run: dict[str, Any]) -> ApprovalWanted:
    return ApprovalWanted(
        **run, customer_id="alice", lines=LINES, total_cents=TOTAL, expires_at=UNTIL
    )


def charge(run: dict[str, Any], customer_id: str = "alice") -> Charge:
    return Charge(**run, customer_id=customer_id, amount_cents=TOTAL)


async def forget_promises(database: Database) -> None:
    """Leave the statuses as a version without an outbox recorded them."""
    forget = update(STATUSES).values(in_outbox=None)
    await database.write(lambda connection: connection.execute(forget))
    await database.write(lambda connection: connection.execute(delete(OUTBOX)))


async def test_the_first_status_is_promised_with_the_order(
    activities: OrderActivities,
    publisher: Promised,
    store: OrderStore,
    received: OrderStatusChanged,
) -> None:
    """The activity neither records nor promises it again."""
    first = Notice(**RUN, status=OrderStatus.RECEIVED, received_at=received.at)

    for _ in range(2):
        assert await activities.notify_activity(CONTEXT, first) == Recorded()

    assert publisher.statuses == [received]
    assert len(await store.changes(0, 10)) == 1


async def test_what_an_earlier_version_recorded_is_promised_once(
    activities: OrderActivities, publisher: Promised, database: Database
) -> None:
    """It may not have been published, for example because the process ended before."""
    denied = notice(RUN, OrderStatus.REJECTED, reason="denied", total_cents=TOTAL)
    await activities.notify_activity(CONTEXT, denied)
    await forget_promises(database)

    for _ in range(2):
        await activities.notify_activity(CONTEXT, Notice(**RUN, status=OrderStatus.RECEIVED))
    for _ in range(2):
        await activities.notify_activity(CONTEXT, denied)

    assert [change.event_id for change in publisher.statuses] == ["o1.1", "o1.2"]


async def test_a_status_of_an_earlier_version_is_not_promised_after_later_ones(
    activities: OrderActivities, publisher: Promised, database: Database
) -> None:
    """An activity that runs late would otherwise bring the statuses out of order."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    await activities.process_payment_activity(CONTEXT, charge(RUN))
    await forget_promises(database)

    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))

    assert publisher.statuses == []


async def test_a_repeated_status_is_recorded_and_promised_once(
    activities: OrderActivities, publisher: Promised, store: OrderStore
) -> None:
    """Running the activity twice promises one event."""
    denied = notice(RUN, OrderStatus.REJECTED, reason="denied", total_cents=TOTAL)

    for _ in range(2):
        assert await activities.notify_activity(CONTEXT, denied) == Recorded()

    assert [change.event_id for change in publisher.statuses] == ["o1.1", "o1.2"]
    assert publisher.statuses[1].reason == "denied"
    assert publisher.statuses[1].total_cents == TOTAL
    assert len(await store.changes(0, 10)) == 2


async def test_every_recorded_status_is_promised(
    activities: OrderActivities, publisher: Promised, store: OrderStore
) -> None:
    """Whoever receives a status can read it."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    await activities.request_approval_activity(CONTEXT, wanted(RUN))
    await activities.process_payment_activity(CONTEXT, charge(RUN))
    await activities.notify_activity(CONTEXT, notice(RUN, OrderStatus.COMPLETED))

    stored = await store.order("o1")
    assert stored is not None
    assert publisher.statuses_of("o1") == [entry.status for entry in stored.history]
    assert publisher.statuses_of("o1") == [
        *("received", "reserved", "awaiting_approval", "paid", "completed")
    ]


async def test_a_status_that_cannot_be_promised_is_not_recorded(
    activities: OrderActivities,
    publisher: Promised,
    store: OrderStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both happen in one transaction, and the retry does both."""
    fail_once(monkeypatch, "orders.ordering.changes.add_within", DOWN)
    completed = notice(RUN, OrderStatus.COMPLETED)

    with pytest.raises(ConnectionError):
        await activities.notify_activity(CONTEXT, completed)
    assert len(await store.changes(0, 10)) == 1
    await activities.notify_activity(CONTEXT, completed)

    assert publisher.statuses_of("o1") == ["received", "completed"]
    assert len(await store.changes(0, 10)) == 2


async def test_verifying_reserves_once(
    activities: OrderActivities, inventory: RoomInventory
) -> None:
    """The lines are reserved once, and the result has their total."""
    verification = Verification(**RUN, lines=LINES)

    for _ in range(2):
        verified = await activities.verify_inventory_activity(CONTEXT, verification)
        assert verified == Verified(outcome="reserved", total_cents=TOTAL)

    assert inventory.quantities("cars") == (100, 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (OrderLine(item="cars", quantity=101), "out_of_stock"),
        (OrderLine(item="boats", quantity=1), "unknown_item"),
    ],
)
async def test_a_rejected_reservation_returns_its_reason(
    activities: OrderActivities, publisher: Promised, line: OrderLine, reason: str
) -> None:
    """The workflow publishes the status."""
    verified = await activities.verify_inventory_activity(
        CONTEXT, Verification(**RUN, lines=(line,))
    )

    assert (verified.outcome, verified.reason) == ("rejected", reason)
    assert publisher.statuses_of("o1") == ["received"]


async def test_an_approval_request_includes_its_deadline(
    activities: OrderActivities, publisher: Promised
) -> None:
    """The request has everything that a person needs to decide."""
    await activities.request_approval_activity(CONTEXT, wanted(RUN))

    (request,) = publisher.requests
    assert (request.order_id, request.customer_id, request.lines) == ("o1", "alice", LINES)
    assert (request.total_cents, request.expires_at) == (TOTAL, UNTIL)
    assert publisher.statuses_of("o1") == ["received", "awaiting_approval"]


async def test_a_reminder_repeats_the_request(
    activities: OrderActivities, publisher: Promised
) -> None:
    """Only the reminder field differs, and the order's status does not change."""
    both = wanted(RUN).model_copy(update={"levels": 2})
    await activities.request_approval_activity(CONTEXT, both)

    await activities.remind_of_approval_activity(CONTEXT, both)

    first, again = publisher.requests
    assert (first.levels, first.reminder, again.reminder) == (2, False, True)
    assert again.model_copy(update={"reminder": False}) == first
    assert publisher.statuses_of("o1") == ["received", "awaiting_approval"]


async def test_no_reminder_is_sent_for_a_decided_order_or_by_another_run(
    activities: OrderActivities, publisher: Promised
) -> None:
    """Late reminders and those of runs that do not own the order are dropped."""
    await activities.request_approval_activity(CONTEXT, wanted(RUN))
    await activities.remind_of_approval_activity(CONTEXT, wanted(OTHER_RUN))
    await activities.notify_activity(CONTEXT, notice(RUN, OrderStatus.APPROVED))
    await activities.remind_of_approval_activity(CONTEXT, wanted(RUN))

    assert [request.reminder for request in publisher.requests] == [False]


async def test_paying_charges_once(
    activities: OrderActivities,
    payments: RecordedPayments,
    publisher: Promised,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Running the activity twice captures one payment."""
    fail_once(monkeypatch, "orders.ordering.changes.add_within", DOWN)
    with pytest.raises(ConnectionError):
        await activities.process_payment_activity(CONTEXT, charge(RUN))

    charged = await activities.process_payment_activity(CONTEXT, charge(RUN))

    assert charged == Charged(outcome="paid")
    assert [entry.kind for entry in await payments.store.entries("o1")] == ["charge"]
    assert publisher.statuses_of("o1") == ["received", "paid"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("is_retried", [True, False])
async def test_a_payment_step_may_die_anywhere(
    activities: OrderActivities, database: Database, point: Point, *, is_retried: bool
) -> None:
    """Its retry, or the refund if it is not retried, leaves provider and record the same."""
    deaths = Deaths([point])
    bank, payments = Bank(deaths), DyingStore(database, deaths)
    activities._payments = RecordedPayments(bank, payments)
    with pytest.raises(Died):
        await activities.process_payment_activity(CONTEXT, charge(RUN))

    if is_retried:
        charged = await activities.process_payment_activity(CONTEXT, charge(RUN))
        assert charged == Charged(outcome="paid")
        assert bank.moved("o1") == [("charge", TOTAL)]
    await activities.refund_payment_activity(CONTEXT, Undoing(**RUN, reason="cancelled"))

    late = await activities.process_payment_activity(CONTEXT, charge(RUN))
    recorded = [(each.kind, each.amount_cents) for each in await payments.entries("o1")]
    assert late.outcome == "declined"
    assert bank.moved("o1") == [each for each in recorded if each[1]]
    assert sum(cents if kind == "charge" else -cents for kind, cents in recorded) == 0


async def test_a_declined_payment_is_returned_to_the_workflow(
    activities: OrderActivities, publisher: Promised
) -> None:
    """Nothing is charged or published."""
    charged = await activities.process_payment_activity(CONTEXT, charge(RUN, "test-declined"))

    assert charged.outcome == "declined"
    assert publisher.statuses_of("o1") == ["received"]


async def test_stock_is_shipped_once(activities: OrderActivities, inventory: RoomInventory) -> None:
    """The result gives the remaining stock."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))

    for _ in range(2):
        left = await activities.update_inventory_activity(CONTEXT, CommitRequest(order_id="o1"))
        assert left == {"cars": 98}
    assert inventory.quantities("cars") == (98, 0)


async def test_compensations_are_idempotent(
    activities: OrderActivities,
    inventory: RoomInventory,
    payments: RecordedPayments,
    publisher: Promised,
) -> None:
    """Stock is released and the payment refunded once, and approvals gets the withdrawal."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    await activities.request_approval_activity(CONTEXT, wanted(RUN))
    await activities.process_payment_activity(CONTEXT, charge(RUN))
    undoing = Undoing(**RUN, reason="denied")

    for _ in range(2):
        await activities.refund_payment_activity(CONTEXT, undoing)
        await activities.release_inventory_activity(CONTEXT, undoing)
    await activities.withdraw_approval_activity(CONTEXT, undoing)

    assert inventory.quantities("cars") == (100, 0)
    assert [entry.kind for entry in await payments.store.entries("o1")] == ["charge", "refund"]
    assert [(withdrawal.order_id, withdrawal.reason) for withdrawal in publisher.withdrawals] == [
        ("o1", "denied")
    ]


async def test_nothing_is_withdrawn_if_no_approval_was_requested(
    activities: OrderActivities, publisher: Promised
) -> None:
    """A run that replaces a lost one compensates every step, also those that nobody took."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))

    await activities.withdraw_approval_activity(CONTEXT, Undoing(**RUN, reason="denied"))

    assert publisher.withdrawals == []


async def test_activities_of_a_superseded_run_have_no_effect(
    activities: OrderActivities, publisher: Promised, store: OrderStore
) -> None:
    """A run that does not own the order neither records nor publishes."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    published = list(publisher.statuses)

    verified = await activities.verify_inventory_activity(
        CONTEXT, Verification(**OTHER_RUN, lines=LINES)
    )
    asked = await activities.request_approval_activity(CONTEXT, wanted(OTHER_RUN))
    paid = await activities.process_payment_activity(CONTEXT, charge(OTHER_RUN))
    noted = await activities.notify_activity(CONTEXT, notice(OTHER_RUN, OrderStatus.FAILED))

    assert verified.superseded
    assert asked.superseded
    assert paid.superseded
    assert noted.superseded
    assert publisher.statuses == published
    assert publisher.requests == []
    assert len(await store.changes(0, 10)) == 2


async def test_a_superseded_run_compensates_nothing_of_the_owner(
    activities: OrderActivities,
    inventory: RoomInventory,
    payments: RecordedPayments,
    publisher: Promised,
) -> None:
    """Stock, payment and approval of the run that owns the order stay."""
    await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    await activities.process_payment_activity(CONTEXT, charge(RUN))
    undoing = Undoing(**OTHER_RUN, reason="inventory_unavailable")

    await activities.release_inventory_activity(CONTEXT, undoing)
    await activities.refund_payment_activity(CONTEXT, undoing)
    await activities.withdraw_approval_activity(CONTEXT, undoing)

    assert inventory.quantities("cars") == (100, 2)
    assert [entry.kind for entry in await payments.store.entries("o1")] == ["charge"]
    assert publisher.withdrawals == []


async def test_a_request_to_cancel_reaches_the_workflow_with_every_status(
    activities: OrderActivities, store: OrderStore
) -> None:
    """Each activity that records a status returns whether cancellation was requested."""
    await store.request_cancel("o1")

    verified = await activities.verify_inventory_activity(CONTEXT, Verification(**RUN, lines=LINES))
    asked = await activities.request_approval_activity(CONTEXT, wanted(RUN))
    approved = await activities.notify_activity(CONTEXT, notice(RUN, OrderStatus.APPROVED))
    paid = await activities.process_payment_activity(CONTEXT, charge(RUN))

    assert [step.cancelled for step in (verified, asked, approved, paid)] == [True] * 4


async def test_an_order_of_a_batch_reads_its_data_from_the_store(
    activities: OrderActivities,
    publisher: Promised,
    inventory: RoomInventory,
    received: OrderStatusChanged,
) -> None:
    """Time, lines and customer are not part of its workflow's input."""
    await activities.notify_activity(CONTEXT, Notice(**RUN, status=OrderStatus.RECEIVED))
    verified = await activities.verify_inventory_activity(CONTEXT, Verification(**RUN))
    asked = ApprovalWanted(**RUN, total_cents=TOTAL, expires_at=UNTIL)
    await activities.request_approval_activity(CONTEXT, asked)
    charged = await activities.process_payment_activity(CONTEXT, Charge(**RUN, amount_cents=TOTAL))

    assert publisher.statuses[0] == received
    assert (verified.outcome, verified.total_cents) == ("reserved", TOTAL)
    assert inventory.quantities("cars") == (100, 2)
    assert (publisher.requests[0].customer_id, publisher.requests[0].lines) == ("alice", LINES)
    assert charged.outcome == "paid"


@pytest.mark.parametrize("batch", ["batch.b1", "batch-b1"])
async def test_a_waiting_order_notifies_its_batch(
    activities: OrderActivities, engine: MemoryEngine, batch: str
) -> None:
    """The next order may start then, also in a batch that an earlier version started."""
    asked = wanted(RUN).model_copy(update={"batch_id": "b1"})
    await activities.request_approval_activity(CONTEXT, asked)
    assert engine.raised == []
    engine.runs[batch] = [BATCH]
    engine.names[batch] = "order_batch_workflow"
    engine.active.add(batch)

    await activities.request_approval_activity(CONTEXT, asked)

    assert engine.raised == [(batch, "order_waits", "o1")]
