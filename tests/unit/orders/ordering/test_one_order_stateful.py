"""One order in any interleaving of events, crashes, replicas and lost runs keeps its contract."""

import asyncio
from collections.abc import Awaitable
from contextlib import nullcontext, suppress
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fakes.gated_bank import Fate
from fakes.orders_ports import MemoryApprovals, MemoryEngine, Promised
from fakes.stepped_run import SteppedRun
from fakes.troubled_ports import Deferred, FatefulBank, Forgetful
from fakes.workflow_run import carried_out_by
from orderflow_contracts.approvals import Decision
from orderflow_contracts.names import APPROVAL_DECIDED
from orderflow_contracts.orders import FINAL_STATUSES, Order, OrderLine, OrderSubmitted
from orderflow_hosting.database import Database
from orders.config import OrdersSettings
from orders.domain import OrderEnded
from orders.ordering import service
from orders.ordering.activities import OrderActivities
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.picking import PickingActivities
from orders.ordering.records import BEFORE_CHARGE, OtherContent
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.ordering.undo_workflow import order_undo_workflow
from orders.ordering.workflow import order_processing_workflow
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore
from orders.saved_histories import SavedHistories
from orders.tasks.store import TaskStore

CAR_CENTS = 15_000_00
ALLOWED = 3
"""So many cars need no approval."""
NUMBERS = count()
MOST_STEPS_TO_THE_END = 300
FATES: tuple[Fate, ...] = ("declined", "not sent", "answer lost")
TROUBLES = ("inventory down", "inventory silent", "approvals down", *FATES, "answer lost")


class OrderMachine(RuleBasedStateMachine):
    """Drives one order, and knows what must hold for it."""

    database: ClassVar[Database]
    settings: ClassVar[OrdersSettings]
    runner: ClassVar[asyncio.Runner]

    def __init__(self) -> None:
        super().__init__()
        self.order_id = f"s{next(NUMBERS)}"
        self.engine, self.bank = MemoryEngine(), FatefulBank()
        self.inventory, self.approvals = Forgetful(), MemoryApprovals()
        self.store = OrderStore(self.database)
        self.background = Deferred()
        feed = StatusFeed(self.store, shared=False)
        payments = RecordedPayments(self.bank, PaymentStore(self.database))
        histories = SavedHistories(self.database)
        new_runs = NewRuns(self.settings, self.store, histories, self.engine)
        undo = OrderUndo(self.engine, self.store)
        self.intake = Intake(
            *(self.settings, self.store, self.engine, feed, undo, self.background),
            new_runs=new_runs,
        )
        owners = (
            OrderActivities(
                *(self.store, self.inventory, payments, feed, self.engine, self.approvals)
            ),
            PickingActivities(self.store, TaskStore(self.database), self.engine),
        )

        async def carry_out(name: str, payload: Any) -> object:
            owner = next(each for each in owners if hasattr(each, name))
            return await carried_out_by(owner)(name, payload)

        self.carry_out = carry_out
        self.runs: list[SteppedRun] = []
        self.undoing: list[SteppedRun] = []
        self.is_lost = False
        self.end: tuple[str, str | None] | None = None
        self.charges_at_end: list[Any] = []
        self.cancel_counts = False
        self.must_not_charge = False

    def do(self, work: Awaitable[Any]) -> Any:
        """Do some work, then begin the runs that were started, and hand over events."""

        async def all_of_it() -> Any:
            try:
                return await work
            finally:
                self._begin_new_runs()

        return self.runner.run(all_of_it())

    def _begin_new_runs(self) -> None:
        for payload in self.engine.runs[self.order_id][len(self.runs) :]:
            run = SteppedRun(order_processing_workflow, payload, self.carry_out)
            run.begin()
            self.runs.append(run)
            self.is_lost = False
        undone, self.engine.undone = self.engine.undone, []
        if undone and all(run.has_ended for run in self.undoing):
            run = SteppedRun(order_undo_workflow, undone[0], self.carry_out)
            run.begin()
            self.undoing.append(run)
        events, self.engine.raised = self.engine.raised, []
        for _, event, data in events:
            if self.current is not None:
                self.current.receive(event, data)

    @property
    def current(self) -> SteppedRun | None:
        """The run that the engine still has."""
        return self.runs[-1] if self.runs and not self.is_lost else None

    @property
    def order(self) -> Order:
        """The order as it is recorded."""
        found: Order | None = self.do(self.store.order(self.order_id))
        assert found is not None
        return found

    @property
    def busy(self) -> list[SteppedRun]:
        """The runs with an activity to carry out; one of a lost run may still be in progress."""
        return [run for run in (*self.runs[-2:], *self.undoing[-1:]) if run.is_busy]

    @initialize(cars=st.sampled_from([2, 2, 4]), fate=st.sampled_from(["answered", *FATES]))
    def submit(self, cars: int, fate: Fate) -> None:
        """Submit the order, and decide about its first charge."""
        self.bank.fates.append(fate)
        self.do(self.inventory.open())
        lines = (OrderLine(item="cars", quantity=cars),)
        self.cars = cars
        self.submitted = OrderSubmitted(order_id=self.order_id, customer_id="alice", lines=lines)
        self.do(self.intake.submit(self.submitted))

    @rule(customer=st.sampled_from(["alice", "bob"]))
    def submit_again(self, customer: str) -> None:
        """Deliver the event again, or one with other content, which is refused."""
        again = self.submitted.model_copy(update={"customer_id": customer})
        with nullcontext() if customer == "alice" else pytest.raises(OtherContent):
            self.do(self.intake.submit(again))

    @rule(steps=st.sampled_from([1, 1, 1, 2, 4]), number=st.integers(0, 2), is_lost=st.booleans())
    def go_on(self, steps: int, number: int, *, is_lost: bool) -> None:
        """Carry out activities; the process may die before the last result is recorded."""
        for left in reversed(range(steps)):
            if busy := self.busy:
                self.step(busy[number % len(busy)], is_lost=is_lost and not left)

    def step(self, run: SteppedRun, *, is_lost: bool = False) -> None:
        """Carry out one activity; a run that the engine has lost does not go on."""
        is_former = run in self.runs and run is not self.current
        self.do(run.carry_out(is_lost=is_lost or is_former))
        if is_former:
            run.end()
        self._end_instance()

    @precondition(lambda self: self.current and self.current.is_busy)
    @rule()
    def step_on_two_replicas(self) -> None:
        """Carry out the same activity on two replicas at the same time."""
        run = self.current
        assert run is not None

        async def both() -> None:
            await asyncio.gather(run.carry_out(), run.carry_out())

        self.do(both())
        self._end_instance()

    def _end_instance(self) -> None:
        if self.current is not None and self.current.has_ended:
            self.engine.active.discard(self.order_id)

    @rule(what=st.sampled_from(TROUBLES))
    def fail(self, what: str) -> None:
        """Let the next call of another service fail, before or after its effect."""
        if what == "inventory silent":
            self.inventory.loses_answer = True
        elif what in FATES:
            self.bank.fates.append(what)
        else:
            port = self.inventory if what == "inventory down" else self.approvals
            port.failures.append(ConnectionError(what))

    @rule()
    def cancel(self) -> None:
        """Cancel the order, unless it has ended."""
        row = self.do(self.store._row(self.order_id))
        with suppress(OrderEnded):
            self.do(self.intake.cancel(self.order_id))
            self.cancel_counts |= row.status in BEFORE_CHARGE
            self.must_not_charge |= row.status in BEFORE_CHARGE and row.charge_sent_at is None

    @rule(dies=st.booleans())
    def pass_time(self, *, dies: bool) -> None:
        """Do the background work, unless the process dies; then look after the order."""
        if dies:
            self.background.works.clear()
        self.do(self.background.do_all())
        self.do(self._look_after_it())

    async def _look_after_it(self) -> None:
        """Resume the order as a new process and the reconciler do."""
        for left in await self.store.unfinished():
            if left.order.order_id == self.order_id:
                await self.intake.resume_order(left)
        if self.order_id in await self.store.cancels_to_hand_over():
            self.intake._hand_over_cancel(self.order_id, key=self.order_id)
        if self.order_id in await self.store.cancels_to_end():
            self.intake._end_soon(self.order_id)

    @precondition(lambda self: self.current)
    @rule()
    def lose_run(self) -> None:
        """Lose the order's workflow in the engine."""
        self.do(self.engine.discard(self.order_id, with_children=True))
        self.is_lost = True

    @precondition(lambda self: self.order.status == "awaiting_approval")
    @rule(approved=st.booleans())
    def decide(self, *, approved: bool) -> None:
        """Decide as a person does; the first decision stands."""
        decision = Decision(approved=approved, approver="mallory", comment="")
        decision = self.approvals.decisions.setdefault(self.order_id, decision)
        self.do(self._raise(APPROVAL_DECIDED, decision.model_dump(mode="json")))

    @rule(event=st.sampled_from([APPROVAL_DECIDED, "cancel_requested"]))
    def forge(self, event: str) -> None:
        """Somebody raises an event for which nothing is on record."""
        made_up = {"approved": True, "approver": "nobody", "comment": ""}
        self.do(self._raise(event, made_up if event == APPROVAL_DECIDED else None))

    async def _raise(self, event: str, data: Any) -> None:
        if self.current is not None:
            await self.engine.raise_event(self.order_id, event, data)

    @precondition(lambda self: self.current and not self.current.is_busy)
    @rule()
    def fire_timer(self) -> None:
        """Let the time until a reminder, or for the decision, pass."""
        if self.current is not None:
            self.current.fire_timer()

    @invariant()
    def the_contract_holds(self) -> None:
        """At any moment: no gap, one final status, no charge that is not due."""
        if not self.runs:
            return
        order = self.order
        history = [(entry.sequence, entry.status) for entry in order.history]
        assert [sequence for sequence, _ in history] == list(range(1, len(history) + 1))
        finals = [status for _, status in history if status in FINAL_STATUSES]
        assert len(finals) <= 1
        charges = [each for each in self.bank.moved(self.order_id) if each[0] == "charge"]
        assert not (charges and self.must_not_charge)
        if charges and self.cars > ALLOWED:
            assert self.approvals.decisions[self.order_id].approved
        if finals:
            end = (order.status, order.reason)
            if self.end is None:
                self.end, self.charges_at_end = end, charges
            assert (end, charges) == (self.end, self.charges_at_end)

    def teardown(self) -> None:
        """Once nothing fails any more, the order ends, and all records agree."""
        if not self.runs:
            return
        self.bank.fates.clear()
        for port in (self.inventory, self.approvals):
            port.failures.clear()
        self.inventory.loses_answer = False
        for _ in range(MOST_STEPS_TO_THE_END):
            self.pass_time(dies=False)
            if busy := self.busy:
                self.step(busy[0])
            elif not self.do(self.store.unfinished()):
                break
            elif self.order.status == "awaiting_approval":
                self.decide(approved=True)
            self.the_contract_holds()
        self._judge()

    def _judge(self) -> None:
        order = self.order
        total = self.cars * CAR_CENTS
        assert order.status in {"completed", "rejected", "cancelled"}, order
        completed = order.status == "completed"
        assert self.inventory.quantities("cars") == (100 - self.cars * completed, 0)
        moved = self.bank.moved(self.order_id)
        both = [("charge", total), ("refund", total)]
        assert moved == both[:1] if completed else moved in ([], both)
        assert not (completed and self.cancel_counts)
        if self.cars > ALLOWED and completed:
            assert self.approvals.decisions[self.order_id].approved
        published = Promised(self.database).statuses_of(self.order_id)
        assert published == [entry.status for entry in order.history]


def test_an_order_keeps_its_contract_whatever_happens_in_which_order(
    database: Database, settings: OrdersSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes effect once, is charged only if it may be, and leaves no stock or money behind."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 0)
    with asyncio.Runner() as runner:
        machine = type(
            "Machine",
            (OrderMachine,),
            {"database": database, "settings": settings, "runner": runner},
        )
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=100, stateful_step_count=15, derandomize=True, deadline=None
            ),
        )
