"""Cancellations and charges of one order in any interleaving, with crashes and two replicas."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fakes.gated_bank import FATES, Fate, GatedBank
from fakes.orders_ports import MemoryEngine, RoomInventory
from fakes.waiting import until
from fakes.workflow_run import WorkflowRun, carried_out_by
from orderflow_contracts.inventory import RestockRequest
from orderflow_contracts.orders import FINAL_STATUSES, Order, OrderLine, OrderSubmitted
from orders.domain import OrderEnded
from orders.ordering import service
from orders.ordering.activities import OrderActivities
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.workflow import order_processing_workflow
from orders.payments.service import RecordedPayments

PAY = "process_payment_activity"
TOTAL = 30_000_00
NUMBERS = count()

Move = Literal["cancel", "end", "attempt", "crash", "arrive"] | tuple[int, Fate]
"""What happens next.

The order is cancelled, or ends because the grace is over; a replica begins the step; the process of
one ends; charges arrive; or the payment service answers.
"""

moves = st.one_of(
    st.sampled_from(["cancel", "end", "attempt", "attempt", "crash", "arrive"]),
    st.tuples(st.integers(0, 2), st.sampled_from(FATES)),
)


class Race:
    """One order whose payment step is carried out by several replicas at once."""

    def __init__(
        self, order_id: str, activities: OrderActivities, intake: Intake, bank: GatedBank
    ) -> None:
        self.order_id = order_id
        self.bank = bank
        self.accepted_in: list[str] = []
        """The statuses in which a cancellation was accepted."""
        self.is_before_charge = False
        """Whether a cancellation was accepted when no charge had been sent, or none was left."""
        self._intake = intake
        self._carry_out = carried_out_by(activities)
        self._attempts: list[asyncio.Task[Any]] = []

    async def make(self, move: Move, payload: Any) -> None:
        """Make one move, and wait until nothing goes on by itself."""
        if move == "cancel":
            await self.cancel()
        elif move == "end":
            await self._intake._store.end_cancelled(self.order_id)
        elif move == "attempt":
            self._attempts.append(asyncio.create_task(self._attempt(payload)))
        elif move == "arrive":
            self.bank.arrive()
        elif move == "crash":
            if going_on := [each for each in self._attempts if not each.done()]:
                going_on[0].cancel()
                await asyncio.wait(going_on[:1])
        else:
            self.bank.answer(*move)
        await until(self._is_quiet)

    async def cancel(self) -> None:
        """Cancel the order, unless it has ended."""
        stored = await self._intake._store.order(self.order_id)
        assert stored is not None
        with contextlib.suppress(OrderEnded):
            await self._intake.cancel(self.order_id)
            self.accepted_in.append(stored.status)
            self.is_before_charge |= self.order_id in await self._intake._store.cancels_to_end()

    async def result(self, payload: Any) -> object:
        """Return the first result that an attempt had, or that of another attempt in peace."""
        for attempt in self._attempts:
            if attempt.done() and not attempt.cancelled() and attempt.exception() is None:
                break
        else:
            attempt = asyncio.create_task(self._attempt(payload))
        self.bank.open()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        return await attempt

    async def _attempt(self, payload: Any) -> object:
        return await self._carry_out(PAY, payload)

    def _is_quiet(self) -> bool:
        going_on = sum(not each.done() for each in self._attempts)
        return going_on == len(self.bank.waiting)


@pytest.fixture(autouse=True)
def long_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the moves alone decide when the grace is over."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 3600)


@pytest.fixture
def bank() -> GatedBank:
    return GatedBank()


@pytest.fixture
def payments(payments: RecordedPayments, bank: GatedBank) -> RecordedPayments:
    return RecordedPayments(bank, payments.store)


Play = Callable[[list[Move]], Awaitable[tuple[Race, Order]]]


@pytest.fixture
def play(
    activities: OrderActivities,
    intake: Intake,
    bank: GatedBank,
    store: OrderStore,
    engine: MemoryEngine,
) -> Play:
    """Carry out an order whose payment step goes as these moves say."""

    async def play(played: list[Move]) -> tuple[Race, Order]:
        order_id = f"o{next(NUMBERS)}"
        bank.is_open = False
        race = Race(order_id, activities, intake, bank)
        lines = (OrderLine(item="cars", quantity=2),)
        order = OrderSubmitted(order_id=order_id, customer_id="alice", lines=lines)
        await intake.submit(order)
        run = engine.runs[order_id][-1]
        carry_out = carried_out_by(activities)

        async def answer(name: str, payload: Any) -> object:
            if name != PAY:
                return await carry_out(name, payload)
            for move in played:
                await race.make(move, payload)
            return await race.result(payload)

        await WorkflowRun(order_processing_workflow, run, answer).run_to_end()
        bank.arrive()
        stored = await store.order(order_id)
        assert stored is not None
        return race, stored

    return play


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(moves, max_size=9))
@example(["attempt", (0, "answer lost"), "attempt", (0, "not sent"), "cancel"])
@example(["attempt", "attempt", (1, "answer lost"), (0, "not sent"), "cancel"])
@example(["attempt", (0, "arrives later"), "cancel", "attempt", (0, "answered"), "arrive"])
@example(["attempt", "cancel", "crash", "attempt", (0, "answered")])
@example(["cancel", "attempt", "cancel"])
@example(["cancel", "end", "attempt", "cancel"])
@example(["attempt", "cancel", "end", (0, "not sent"), "end"])
@example(["attempt", (0, "declined"), "cancel"])
async def test_a_cancellation_and_a_charge_are_decided_once(
    play: Play,
    bank: GatedBank,
    payments: RecordedPayments,
    inventory: RoomInventory,
    store: OrderStore,
    played: list[Move],
) -> None:
    """An order that does not complete keeps no money, and each order has one final status."""
    race, order = await play(played)

    history = [entry.status for entry in order.history]
    assert [status for status in history if status in FINAL_STATUSES] == [order.status]
    recorded = [
        (entry.kind, entry.amount_cents) for entry in await payments.store.entries(order.order_id)
    ]
    assert bank.moved(order.order_id) == [each for each in recorded if each[1]]
    both = [("charge", TOTAL), ("refund", TOTAL)]
    if order.status == "completed":
        assert recorded == both[:1]
        assert inventory.quantities("cars") == (98, 0)
        await inventory.service.restock(RestockRequest(item="cars", quantity=2))
        assert set(race.accepted_in) <= {"paid"}
    else:
        assert recorded in ([], [("refund", 0)], both)
        assert inventory.quantities("cars") == (100, 0)
    if race.is_before_charge:
        assert recorded == []
        assert order.status == "cancelled"
    if "reserved" in race.accepted_in:
        assert order.status == "cancelled"
        assert order.reason == "cancelled_on_request"
    assert order.order_id not in [each.order.order_id for each in await store.unfinished()]
