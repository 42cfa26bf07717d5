"""Runs that fail or are cancelled, also after the engine lost a first run: nothing is left behind.

Every case is generated from the declared steps, so a new step is covered as it is declared.
"""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fakes.events import TopicsInMemory
from fakes.orders_ports import MemoryApprovals, MemoryEngine, RoomInventory
from fakes.workflow_run import ChildEnds, Event, Happening, WorkflowRun, carried_out_by
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orders.config import OrdersSettings, Picking
from orders.ordering import steps
from orders.ordering.actions import Step
from orders.ordering.build import Ordering, build
from orders.ordering.messages import OrderRun
from orders.ordering.steps import COMPENSATIONS, STEPS
from orders.ordering.workflow import order_processing_workflow
from orders.parts import Base
from orders.payments.built_in import BuiltInProvider
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore
from orders.tables import DEAD_LETTERS, PARKED_EVENTS
from orders.tasks.store import TaskStore

APPROVED = Event("approval_decided", {"approved": True, "approver": "bob", "comment": ""})
PICKED = {"task_id": "any", "status": "completed", "completed_at": ""}
LARGE = 11
"""A number of cars that needs approval."""

SWITCHES: tuple[Picking, ...] = ("off", "handed_over", "awaited")
FAILING = [step for step in STEPS if step.fails_as]
UNDONE = [step for step in STEPS if step.compensation is not None]


every_version = pytest.mark.parametrize("is_old", [False, True], ids=["new", "of-earlier-version"])


class RunLost(BaseException):
    """The engine loses the run."""


class Shop:
    """The real activities with real tables and their other dependencies."""

    def __init__(self, database: Database) -> None:
        self.inventory = RoomInventory()
        self.approvals = MemoryApprovals()
        self.payments = RecordedPayments(BuiltInProvider(), PaymentStore(database))
        self.tasks = TaskStore(database)
        self.decided: set[WorkflowRun] = set()
        topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
        base = Base(
            settings=OrdersSettings.model_validate({"APP_API_TOKEN": "a-token-for-tests"}),
            clock=now,
            database=database,
            engine=cast(Any, MemoryEngine()),
            inventory=cast(Any, self.inventory),
            approvals=cast(Any, self.approvals),
            app=topics.app,
            topics=topics.topics,
            dead_letters=topics.letters,
            parked=topics.parked,
            background=BackgroundWork(),
        )
        self.ordering: Ordering = build(base, self.payments, self.tasks)
        self.carry_out = carried_out_by(SimpleNamespace(**self.ordering.activities))

    async def accept(self, order_id: str, picking: Picking) -> OrderRun:
        """Accept a large order and return its first run."""
        lines = (OrderLine(item="cars", quantity=LARGE),)
        order = OrderSubmitted(order_id=order_id, customer_id="alice", lines=lines)
        accepted = await self.ordering.store.accept(order)
        self.approvals.record(order_id, [APPROVED])
        return OrderRun(
            order_id=order_id,
            run_id=str(accepted.run_id),
            customer_id="alice",
            lines=lines,
            received_at=accepted.first.change.at,
            approval_threshold_cents=50_000_00,
            approval_timeout_seconds=3600,
            retry_timeout_seconds=60,
            picking=picking,
        )

    async def lose(self, run: OrderRun, after: int, *, is_old: bool) -> list[str]:
        """Run until this many activities had their effect; the result of the last one is lost."""
        called: list[str] = []

        async def answer(name: str, payload: Any) -> object:
            result = await self.carry_out(name, payload)
            called.append(name)
            if len(called) == after:
                raise RunLost
            return result

        happenings: list[Happening] = [APPROVED, ChildEnds(PICKED)]
        run = run.model_copy(update={"is_checked": not is_old})
        first = WorkflowRun(order_processing_workflow, run, answer, happenings=happenings)
        with pytest.raises(RunLost):
            await first.run_to_end()
        return [*called, *(child.name for child in first.children)]

    def start(
        self,
        run: OrderRun,
        *,
        is_old: bool,
        failing: Step | None = None,
        cancelled_at: Step | None = None,
    ) -> WorkflowRun:
        """Start a run which fails at a step, or is cancelled before one.

        Runs that learn of a decision are in `decided`.
        """

        async def answer(name: str, payload: Any) -> object:
            if failing is not None and name == failing.activity:
                raise ConnectionError("does not answer")
            if cancelled_at is not None and name == cancelled_at.activity:
                await self.ordering.store.request_cancel(run.order_id)
            result = await self.carry_out(name, payload)
            if payload.get("status") == "approved" or getattr(result, "outcome", "") == "approved":
                self.decided.add(started)
            return result

        is_child = failing is not None and failing.is_child
        child = ChildEnds(error="does not answer") if is_child else ChildEnds(PICKED)
        happenings: list[Happening] = [APPROVED, child]
        run = run.model_copy(update={"is_checked": not is_old})
        started = WorkflowRun(order_processing_workflow, run, answer, happenings=happenings)
        return started

    def again(self, run: OrderRun, *, is_old: bool, **ending: Step) -> WorkflowRun:
        """Restart a lost run, which ends as the other one."""
        compensations = steps.compensations(None)
        begun_again = run.model_copy(update={"begun_again": True, "compensations": compensations})
        return self.start(begun_again, is_old=is_old, **ending)

    async def assert_nothing_is_left(self, order_id: str) -> None:
        """Check that all stock is free, everything refunded, and the task withdrawn."""
        assert self.inventory.quantities("cars") == (100, 0)
        signs = {"charge": 1, "refund": -1}
        entries = await self.payments.store.entries(order_id)
        assert sum(signs[entry.kind] * entry.amount_cents for entry in entries) == 0
        task = await self.tasks.task(f"pick-{order_id}")
        assert task is not None
        assert task.status is TaskStatus.WITHDRAWN


@pytest.fixture
async def shop(database: Database) -> Shop:
    shop = Shop(database)
    await shop.inventory.open()
    return shop


async def calls_of(shop: Shop, picking: Picking, *, is_old: bool) -> list[str]:
    """Return the activities that an order calls until its final status, in order."""
    run = await shop.accept("whole", picking)
    whole = shop.start(run, is_old=is_old)
    assert (await whole.run_to_end())["status"] == "completed"
    await shop.inventory.release("whole")
    return [call.name for call in whole.calls][:-1]


def endings(cancelled: list[str]) -> Iterator[dict[str, Step]]:
    """Return every way in which a restarted run may fail to complete."""
    for step in FAILING:
        yield {"failing": step}
    for step in STEPS:
        if step.activity in cancelled:
            yield {"cancelled_at": step}


@every_version
@pytest.mark.parametrize("picking", SWITCHES)
async def test_every_step_of_a_first_run_is_compensated(
    shop: Shop, picking: Picking, *, is_old: bool
) -> None:
    """Whichever step fails, and wherever it is cancelled: each step registers its compensation.

    A step that fails gives its own reason. Only a request that was decided is not withdrawn, and a
    payment that was never sent is not refunded.
    """
    compensated: set[str] = set()
    for case, ending in enumerate(endings(await calls_of(shop, picking, is_old=is_old))):
        run = shop.start(await shop.accept(f"o{case}", picking), is_old=is_old, **ending)

        result = await run.run_to_end()

        if result["status"] == "completed":
            await shop.inventory.release(f"o{case}")
            continue
        called = [call.name for call in run.calls]
        taken = {*called, *(child.name for child in run.children)}
        if ending == {"cancelled_at": steps.PAY} and not is_old:
            assert await shop.payments.store.entries(f"o{case}") == []
            taken.remove(steps.PAY.activity)  # it was not begun
        if run in shop.decided:
            taken.remove(steps.REQUEST_APPROVAL.activity)
        undone = [step for step in UNDONE if step.activity in taken]
        expected = {step.compensation.activity for step in undone if step.compensation}
        assert {action.activity for action in COMPENSATIONS} & set(called) == expected, ending
        assert all(called.count(name) == 1 for name in expected), ending
        if step := ending.get("failing"):
            assert result["reason"] == step.fails_as, ending
        compensated |= {step.activity for step in undone}
    assert compensated == {step.activity for step in UNDONE if is_taken(step, picking)}


@every_version
@pytest.mark.parametrize("picking", SWITCHES)
async def test_every_effect_of_a_lost_run_is_undone(
    shop: Shop, picking: Picking, *, is_old: bool
) -> None:
    """Wherever the first run was lost and however the second one fails or is cancelled.

    Only a request for approval that was decided in the second run is not withdrawn as well.
    """
    whole = await calls_of(shop, picking, is_old=is_old)
    reached: set[str] = set()
    ended: set[str] = set()
    case = 0
    recorded_first = whole.index(steps.RESERVE.activity) + 1
    for after in range(recorded_first, len(whole) + 1):  # without a record it is not restarted
        for ending in endings(whole):
            case += 1
            run = await shop.accept(f"o{case}", picking)
            reached |= set(await shop.lose(run, after, is_old=is_old))
            again = shop.again(run, is_old=is_old, **ending)

            result = await again.run_to_end()

            if result["status"] == "completed":
                await shop.inventory.release(run.order_id)
                continue
            ended.add(result["status"])
            called = [call.name for call in again.calls]
            expected = {action.activity for action in COMPENSATIONS}
            if again in shop.decided:
                expected.remove(steps.WITHDRAW_APPROVAL.activity)
            assert expected <= set(called), (after, ending)
            assert all(called.count(name) == 1 for name in expected)
            await shop.assert_nothing_is_left(run.order_id)
    assert {step.activity for step in UNDONE if is_taken(step, picking)} <= reached
    assert ended == {"failed", "cancelled"}


def is_taken(step: Step, picking: Picking) -> bool:
    """Return whether an order takes this step with this setting."""
    if step.switch is None:
        return True
    return picking == ("awaited" if step.is_child else "handed_over")


@pytest.mark.parametrize("step", UNDONE, ids=lambda step: step.name)
async def test_a_restarted_run_of_an_earlier_version_replays_unchanged(step: Step) -> None:
    """Its input names no compensations, and its history has only the refund besides its own."""

    async def answer(name: str, _: Any) -> object:
        if name == steps.RESERVE.activity:
            raise ConnectionError("does not answer")
        return {}

    run = OrderRun(
        order_id="o1",
        run_id="run-1",
        approval_threshold_cents=1,
        approval_timeout_seconds=1,
        retry_timeout_seconds=1,
        begun_again=True,
        picking="awaited",
    )
    old = WorkflowRun(order_processing_workflow, run, answer)

    await old.run_to_end()

    assert step.compensation is not None
    is_known = step.compensation in (steps.RELEASE, steps.REFUND)
    assert (step.compensation.activity in [call.name for call in old.calls]) is is_known
