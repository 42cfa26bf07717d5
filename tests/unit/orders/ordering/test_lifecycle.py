"""Workflow, activities, tables and stock together: the effects of an order."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from fakes.orders_ports import MemoryApprovals, MemoryEngine, Promised, RoomInventory
from fakes.workflow_run import Event, TimerFires, WorkflowRun, carried_out_by
from orderflow_contracts.fields import now
from orderflow_contracts.orders import FINAL_STATUSES, OrderLine, OrderSubmitted
from orderflow_hosting.database import Database
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import OrderRun
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.workflow import order_processing_workflow
from orders.payments.service import RecordedPayments
from orders.tables import ORDERS

APPROVED = Event("approval_decided", {"approved": True, "approver": "bob", "comment": ""})
DENIED = Event("approval_decided", {"approved": False, "approver": "bob", "comment": ""})
CANCEL = Event("cancel_requested")
DOWN = ConnectionError("does not answer")


def order(quantity: int = 11, item: str = "cars", customer_id: str = "alice") -> OrderSubmitted:
    return OrderSubmitted(
        order_id="o1", customer_id=customer_id, lines=(OrderLine(item=item, quantity=quantity),)
    )


class Shop:
    """Everything that one order touches."""

    def __init__(
        self,
        intake: Intake,
        engine: MemoryEngine,
        activities: OrderActivities,
        store: OrderStore,
        inventory: RoomInventory,
        payments: RecordedPayments,
        publisher: Promised,
        approvals: MemoryApprovals,
    ) -> None:
        self.approvals = approvals
        self.intake = intake
        self.engine = engine
        self.activities = activities
        self.store = store
        self.inventory = inventory
        self.payments = payments
        self.publisher = publisher

    async def submit(self, submitted: OrderSubmitted) -> OrderRun:
        await self.intake.submit(submitted)
        return self.engine.runs["o1"][-1]

    async def carry_out(
        self,
        run: OrderRun,
        happenings: Iterable[Event | TimerFires] = (),
        answer: Callable[[str, Any], Awaitable[object]] | None = None,
        *,
        is_old: bool = False,
    ) -> Any:
        """Run the workflow; what is decided or requested meanwhile is on record."""
        by_activities = carried_out_by(self.activities)
        happenings = list(happenings)
        self.approvals.record("o1", happenings)

        async def cancelled(name: str, payload: Any) -> object:
            result = await by_activities(name, payload)
            if name == "request_approval_activity" and CANCEL in happenings:
                await self.store.request_cancel("o1")
            return result

        workflow = WorkflowRun(
            order_processing_workflow,
            run.model_copy(update={"is_checked": not is_old}),
            answer or cancelled,
            happenings=happenings,
        )
        return await workflow.run_to_end()

    async def history(self) -> list[str]:
        stored = await self.store.order("o1")
        assert stored is not None
        assert [entry.sequence for entry in stored.history] == list(range(1, stored.sequence + 1))
        assert sum(entry.status in FINAL_STATUSES for entry in stored.history) <= 1
        assert self.publisher.statuses_of("o1") == [entry.status for entry in stored.history]
        return [entry.status for entry in stored.history]

    async def money(self) -> list[tuple[str, int]]:
        return [
            (entry.kind, entry.amount_cents) for entry in await self.payments.store.entries("o1")
        ]


@pytest.fixture
def shop(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    store: OrderStore,
    inventory: RoomInventory,
    payments: RecordedPayments,
    publisher: Promised,
    approvals: MemoryApprovals,
) -> Shop:
    return Shop(intake, engine, activities, store, inventory, payments, publisher, approvals)


every_version = pytest.mark.parametrize("is_old", [False, True], ids=["new", "of-earlier-version"])
"""Runs of this version, and those that an earlier one began."""


@every_version
async def test_a_small_order_completes(shop: Shop, *, is_old: bool) -> None:
    """Stock is reserved, the payment captured, stock shipped, and each status published."""
    run = await shop.submit(order(2))

    await shop.carry_out(run, is_old=is_old)

    assert await shop.history() == ["received", "reserved", "paid", "completed"]
    assert shop.inventory.quantities("cars") == (98, 0)
    assert await shop.money() == [("charge", 30_000_00)]


@every_version
async def test_a_large_order_completes_once_approved(shop: Shop, *, is_old: bool) -> None:
    """The request has a deadline."""
    run = await shop.submit(order())

    await shop.carry_out(run, [APPROVED], is_old=is_old)

    assert await shop.history() == [
        "received",
        "reserved",
        "awaiting_approval",
        "approved",
        "paid",
        "completed",
    ]
    (request,) = shop.publisher.requests
    assert request.expires_at.utcoffset() == timedelta(0)
    assert shop.publisher.withdrawals == []
    assert shop.inventory.quantities("cars") == (89, 0)


@every_version
@pytest.mark.parametrize(
    ("happenings", "reason", "withdrawn"),
    [
        ([DENIED], "denied", []),
        ([TimerFires(), TimerFires()], "approval_expired", ["approval_expired"]),
        ([CANCEL], "cancelled_on_request", ["cancelled_on_request"]),
    ],
)
async def test_a_large_order_without_approval_is_rolled_back(
    shop: Shop,
    happenings: list[Event | TimerFires],
    reason: str,
    withdrawn: list[str],
    *,
    is_old: bool,
) -> None:
    """The stock is available again, nothing was charged, and approvals was notified."""
    run = await shop.submit(order())

    result = await shop.carry_out(run, happenings, is_old=is_old)

    assert result["reason"] == reason
    assert (await shop.history())[:3] == ["received", "reserved", "awaiting_approval"]
    assert [withdrawal.reason for withdrawal in shop.publisher.withdrawals] == withdrawn
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.money() == []


@pytest.mark.parametrize(
    ("submitted", "reason"),
    [
        (order(101), "out_of_stock"),
        (order(item="boats"), "unknown_item"),
        (order(1, customer_id="test-declined"), "payment_declined"),
    ],
)
async def test_a_rejected_order_has_no_effects(
    shop: Shop, submitted: OrderSubmitted, reason: str
) -> None:
    """Stock and payments are as before."""
    run = await shop.submit(submitted)

    result = await shop.carry_out(run)

    assert (result["status"], result["reason"]) == ("rejected", reason)
    assert (await shop.history())[-1] == "rejected"
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.money() == []


async def test_a_failed_commit_is_rolled_back_in_reverse(shop: Shop) -> None:
    """The payment is refunded, then the stock released."""
    run = await shop.submit(order(2))
    by_activities = carried_out_by(shop.activities)

    async def no_update(name: str, payload: Any) -> object:
        if name == "update_inventory_activity":
            await by_activities(name, payload)
            raise DOWN  # it had its effect, but its result was lost
        return await by_activities(name, payload)

    await shop.carry_out(run, answer=no_update)

    assert await shop.history() == ["received", "reserved", "paid", "failed"]
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.money() == [("charge", 30_000_00), ("refund", 30_000_00)]


@every_version
async def test_every_activity_run_twice_has_its_effect_once(shop: Shop, *, is_old: bool) -> None:
    """The engine may run any activity again."""
    run = await shop.submit(order())
    by_activities = carried_out_by(shop.activities)

    async def twice(name: str, payload: Any) -> object:
        first = await by_activities(name, payload)
        assert await by_activities(name, payload) == first
        return first

    await shop.carry_out(run, [APPROVED], twice, is_old=is_old)

    assert (await shop.history())[-1] == "completed"
    assert shop.inventory.quantities("cars") == (89, 0)
    assert await shop.money() == [("charge", 165_000_00)]


@every_version
@pytest.mark.parametrize("happenings", [[], [DENIED], [TimerFires(), TimerFires()]])
async def test_a_second_run_of_an_ended_order_has_no_effect(
    shop: Shop, happenings: list[Event | TimerFires], *, is_old: bool
) -> None:
    """It records and publishes nothing."""
    run = await shop.submit(order(11 if happenings else 2))
    await shop.carry_out(run, happenings)
    before = (await shop.history(), shop.inventory.quantities("cars"), await shop.money())

    second = run.model_copy(update={"run_id": "second"})
    result = await shop.carry_out(second, [APPROVED], is_old=is_old)

    assert result["status"] == "superseded"
    assert (await shop.history(), shop.inventory.quantities("cars"), await shop.money()) == before


async def test_a_second_run_that_fails_undoes_nothing_of_the_first(shop: Shop) -> None:
    """This holds even if inventory is unavailable when the second run would ask."""
    run = await shop.submit(order(2))
    await shop.carry_out(run)
    before = (await shop.history(), shop.inventory.quantities("cars"), await shop.money())
    shop.inventory.failures.append(DOWN)

    result = await shop.carry_out(run.model_copy(update={"run_id": "second"}))

    assert result["status"] == "superseded"
    assert (await shop.history(), shop.inventory.quantities("cars"), await shop.money()) == before


@every_version
async def test_an_order_cancelled_before_it_started_is_cancelled(
    shop: Shop, *, is_old: bool
) -> None:
    """Its run reserves nothing, and records the end if nothing else has done so before."""
    run = await shop.submit(order(2))
    await shop.intake.cancel("o1")
    assert await shop.history() == ["received"]

    result = await shop.carry_out(run, is_old=is_old)

    assert (result["status"], result["reason"]) == ("cancelled", "cancelled_on_request")
    assert await shop.history() == ["received", "cancelled"]
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.store.unfinished() == []


@every_version
async def test_an_order_that_ended_before_its_run_began_is_compensated(
    shop: Shop, *, is_old: bool
) -> None:
    """The end stays as it was recorded, and the run's last notice concludes the compensation."""
    run = await shop.submit(order(2))
    await shop.store.request_cancel("o1")
    await shop.store.end_cancelled("o1")
    assert await shop.history() == ["received", "cancelled"]
    (left,) = await shop.store.unfinished()
    assert left.status == "cancelled"

    result = await shop.carry_out(run, is_old=is_old)

    assert (result["status"], result["reason"]) == ("cancelled", "cancelled_on_request")
    assert await shop.history() == ["received", "cancelled"]
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.store.unfinished() == []


@every_version
async def test_a_request_to_cancel_that_an_earlier_version_recorded_is_found(
    shop: Shop, database: Database, *, is_old: bool
) -> None:
    """No run owned the order yet: the first activity of one finds the request, and does nothing."""
    run = await shop.submit(order(2))
    requested = update(ORDERS).values(cancel_requested_at=now(), run_id=None)
    await database.write(lambda connection: connection.execute(requested))

    result = await shop.carry_out(run, is_old=is_old)

    assert (result["status"], result["reason"]) == ("cancelled", "cancelled_on_request")
    assert await shop.history() == ["received", "cancelled"]
    assert shop.inventory.quantities("cars") == (100, 0)
    assert await shop.store.unfinished() == []
