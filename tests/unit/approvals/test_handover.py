import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from approvals.decisions.store import SqlApprovalStore
from approvals.domain import Outcome
from approvals.handover.ports import DecisionNotAccepted
from approvals.handover.service import MAX_CONCURRENT, Handover
from fakes.pauses import short_pause
from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import DatabaseUnavailable

NOW = now()
YES = Decision(approved=True, approver="ada", comment="fine")
DEADLINE_SECONDS = 10


class FakeOrders:
    """An orders service that fails a number of times, and then always gives the same answer."""

    def __init__(self, failures: int = 0, outcome: Outcome = "taken") -> None:
        self.calls: list[tuple[str, Decision]] = []
        self.max_concurrent = 0
        self._concurrent = 0
        self._failures = failures
        self._outcome = outcome

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Fail as often as configured, then answer."""
        self.calls.append((order_id, decision))
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        await asyncio.sleep(0)
        self._concurrent -= 1
        if len(self.calls) <= self._failures:
            raise DecisionNotAccepted("orders is unavailable")
        return self._outcome


async def request_and_decide(store: SqlApprovalStore, order_id: str) -> None:
    request = ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=NOW + timedelta(hours=1),
    )
    await store.change(order_id, lambda case: case.add_request(request, NOW))
    await store.change(order_id, lambda case: case.decide(YES, NOW))


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await happened():  # the database sends no notifications
            await asyncio.sleep(0.002)


async def until_delivered(store: SqlApprovalStore) -> None:
    async def delivered() -> bool:
        return not await store.undelivered()

    await until(delivered)


@asynccontextmanager
async def running(store: SqlApprovalStore, orders: FakeOrders) -> AsyncIterator[Handover]:
    async with BackgroundWork(short_pause) as background:
        handover = Handover(store, orders, background)
        handover.start()
        yield handover


async def test_a_decision_is_handed_over_once(store: SqlApprovalStore) -> None:
    """Orders gets the decision once, and its answer is stored."""
    orders = FakeOrders()
    async with running(store, orders) as handover:
        await request_and_decide(store, "o-1")
        handover.send("o-1")
        handover.send("o-1")
        await until_delivered(store)

    case = await store.find("o-1")
    assert orders.calls == [("o-1", YES)]
    assert case.final is not None
    assert case.final.outcome == "taken"
    assert case.final.handed_over_at is not None


async def test_a_failed_handover_is_retried_until_it_succeeds(store: SqlApprovalStore) -> None:
    """The decision reaches orders, however often orders is unavailable."""
    orders = FakeOrders(failures=25)
    async with running(store, orders) as handover:
        await request_and_decide(store, "o-1")
        handover.send("o-1")
        await until_delivered(store)

    assert len(orders.calls) == 26


async def test_decisions_of_a_lost_replica_are_delivered(store: SqlApprovalStore) -> None:
    """A decision whose replica is gone is delivered by another one."""
    orders = FakeOrders()
    async with running(store, orders):
        await request_and_decide(store, "o-1")  # and nobody sends it
        await until_delivered(store)

    assert ("o-1", YES) in orders.calls


async def test_a_restart_resumes_undelivered_decisions(store: SqlApprovalStore) -> None:
    """A decision that one process could not deliver is delivered by the next."""
    for order_id in ("o-1", "o-2"):
        await request_and_decide(store, order_id)
    unavailable = FakeOrders(failures=1_000_000)
    async with running(store, unavailable):

        async def tried() -> bool:
            return len(unavailable.calls) > 5

        await until(tried)
    orders = FakeOrders()

    async with running(store, orders):
        await until_delivered(store)

    assert sorted(orders.calls) == [("o-1", YES), ("o-2", YES)]


async def test_too_late_ends_the_handover(store: SqlApprovalStore) -> None:
    """A late decision is not delivered again, and its request is no longer approved."""
    orders = FakeOrders(outcome="too_late")
    await request_and_decide(store, "o-1")

    async with running(store, orders):
        await until_delivered(store)

    assert len(orders.calls) == 1
    assert (await store.find("o-1")).status(now()) is ApprovalStatus.WITHDRAWN


async def test_the_handover_stops_when_the_request_is_withdrawn(store: SqlApprovalStore) -> None:
    """The handover gives up once the request is withdrawn."""
    orders = FakeOrders(failures=1_000_000)
    withdrawal = ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request")
    await request_and_decide(store, "o-1")
    async with running(store, orders) as handover:

        async def tried() -> bool:
            return bool(orders.calls)

        async def idle() -> bool:
            return len(handover._background) == 1  # the search for what others left

        await until(tried)
        await store.change("o-1", lambda case: case.withdraw(withdrawal, NOW))
        await until(idle)


async def test_a_failing_handover_does_not_delay_others(store: SqlApprovalStore) -> None:
    """If orders does not know one order yet, it still gets all other decisions."""

    class OrdersWithoutOne(FakeOrders):
        async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
            if order_id == "o-0":
                raise DecisionNotAccepted("no such order")
            return await super().hand_over(order_id, decision)

    orders = OrdersWithoutOne()
    names = [f"o-{number}" for number in range(40)]
    for order_id in names:
        await request_and_decide(store, order_id)

    async def others_are_delivered() -> bool:
        return list(await store.undelivered()) == ["o-0"]

    async with running(store, orders):
        await until(others_are_delivered)

    assert orders.max_concurrent <= MAX_CONCURRENT


async def test_an_unavailable_database_at_the_start_only_delays(store: SqlApprovalStore) -> None:
    """Undelivered decisions are resumed as soon as the database answers."""

    class UnavailableAtFirst(SqlApprovalStore):
        def __init__(self, real: SqlApprovalStore) -> None:
            super().__init__(real._database)
            self.failures = 3

        async def undelivered(self) -> list[str]:
            self.failures -= 1
            if self.failures >= 0:
                raise DatabaseUnavailable("not yet")
            return list(await super().undelivered())

    orders = FakeOrders()
    await request_and_decide(store, "o-1")

    async with running(UnavailableAtFirst(store), orders):
        await until_delivered(store)

    assert orders.calls == [("o-1", YES)]
