import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from approvals.domain import Outcome
from approvals.handover import AT_ONCE, Handover, NotAnswered
from approvals.store import SqlApprovalStore
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
PATIENCE_SECONDS = 10


class FakeOrders:
    """Orders that does not answer the first so many times, and then always the same."""

    def __init__(self, failures: int = 0, outcome: Outcome = "taken") -> None:
        self.calls: list[tuple[str, Decision]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._failures = failures
        self._outcome = outcome

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Fail so many times, then answer."""
        self.calls.append((order_id, decision))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        if len(self.calls) <= self._failures:
            raise NotAnswered("orders is away")
        return self._outcome


async def ask_and_decide(store: SqlApprovalStore, order_id: str) -> None:
    request = ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=NOW + timedelta(hours=1),
    )
    await store.change(order_id, lambda case: case.ask(request, NOW))
    await store.change(order_id, lambda case: case.decide(YES, NOW))


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await happened():  # the database tells nobody when it changes
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
    """Orders is told the decision, and what it answered is remembered."""
    orders = FakeOrders()
    async with running(store, orders) as handover:
        await ask_and_decide(store, "o-1")
        handover.offer("o-1")
        handover.offer("o-1")
        await until_delivered(store)

    case = await store.find("o-1")
    assert orders.calls == [("o-1", YES)]
    assert case.made is not None
    assert case.made.outcome == "taken"
    assert case.made.handed_over_at is not None


async def test_what_fails_is_tried_until_it_is_taken(store: SqlApprovalStore) -> None:
    """However often orders is away, the decision reaches it in the end."""
    orders = FakeOrders(failures=25)
    async with running(store, orders) as handover:
        await ask_and_decide(store, "o-1")
        handover.offer("o-1")
        await until_delivered(store)

    assert len(orders.calls) == 26


async def test_what_another_replica_left_is_taken_up(store: SqlApprovalStore) -> None:
    """A decision whose replica has gone for good is delivered by one that was there before."""
    orders = FakeOrders()
    async with running(store, orders):
        await ask_and_decide(store, "o-1")  # and nobody offers it
        await until_delivered(store)

    assert ("o-1", YES) in orders.calls


async def test_a_restart_takes_up_what_was_left(store: SqlApprovalStore) -> None:
    """A decision that one process could not deliver is delivered by the next."""
    for order_id in ("o-1", "o-2"):
        await ask_and_decide(store, order_id)
    away = FakeOrders(failures=1_000_000)
    async with running(store, away):

        async def tried() -> bool:
            return len(away.calls) > 5

        await until(tried)
    orders = FakeOrders()

    async with running(store, orders):
        await until_delivered(store)

    assert sorted(orders.calls) == [("o-1", YES), ("o-2", YES)]


async def test_too_late_ends_the_handover(store: SqlApprovalStore) -> None:
    """An order that ended without the decision is not told again, and no longer reads approved."""
    orders = FakeOrders(outcome="too_late")
    await ask_and_decide(store, "o-1")

    async with running(store, orders):
        await until_delivered(store)

    assert len(orders.calls) == 1
    assert (await store.find("o-1")).status(now()) is ApprovalStatus.WITHDRAWN


async def test_a_withdrawn_order_is_not_tried_any_more(store: SqlApprovalStore) -> None:
    """Once orders has said that it no longer waits, the handover gives up."""
    orders = FakeOrders(failures=1_000_000)
    withdrawal = ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request")
    await ask_and_decide(store, "o-1")
    async with running(store, orders) as handover:

        async def tried() -> bool:
            return bool(orders.calls)

        async def idle() -> bool:
            return len(handover._background) == 1  # the search for what others left

        await until(tried)
        await store.change("o-1", lambda case: case.withdraw(withdrawal, NOW))
        await until(idle)


async def test_one_that_fails_holds_up_no_other(store: SqlApprovalStore) -> None:
    """Orders that does not know one order yet still gets all other decisions."""

    class Picky(FakeOrders):
        async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
            if order_id == "o-0":
                raise NotAnswered("no such order")
            return await super().hand_over(order_id, decision)

    orders = Picky()
    names = [f"o-{number}" for number in range(40)]
    for order_id in names:
        await ask_and_decide(store, order_id)

    async def others_are_delivered() -> bool:
        return list(await store.undelivered()) == ["o-0"]

    async with running(store, orders):
        await until(others_are_delivered)

    assert orders.most_at_once <= AT_ONCE


async def test_a_database_that_is_away_at_the_start_delays_only(store: SqlApprovalStore) -> None:
    """What was left is taken up as soon as the database answers."""

    class Reluctant(SqlApprovalStore):
        def __init__(self, real: SqlApprovalStore) -> None:
            super().__init__(real._database)
            self.failures = 3

        async def undelivered(self) -> list[str]:
            self.failures -= 1
            if self.failures >= 0:
                raise DatabaseUnavailable("not yet")
            return list(await super().undelivered())

    orders = FakeOrders()
    await ask_and_decide(store, "o-1")

    async with running(Reluctant(store), orders):
        await until_delivered(store)

    assert orders.calls == [("o-1", YES)]
