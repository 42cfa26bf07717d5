"""A simulated workflow engine with one instance, and its worker, in simulated time.

It matches answers as Dapr 1.18 does: by the instance's id, with whatever attempt is pending. Calls
are given up, answers are late or lost, results are saved late, and work items overtake each other.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime.upstream.torn_histories.restarts import Restarts
from orderflow_workflow_runtime.upstream.torn_histories.turns import LATE_SECONDS, Turns
from orderflow_workflow_runtime.upstream.torn_histories.work_items import ARRIVED

ID = "o-1"
RETRY_SECONDS = 1.0


def work_item(began: float, execution: float, written: int, events: list[int]) -> Any:
    """Make the work item of an attempt; without a history, its first event is the start."""
    started = protos.HistoryEvent(workflowStarted=protos.WorkflowStartedEvent())
    started.timestamp.FromNanoseconds(int(began * 1e9))
    start_event = protos.HistoryEvent(executionStarted=protos.ExecutionStartedEvent())
    start_event.timestamp.FromNanoseconds(int(execution * 1e9))
    start_event.executionStarted.workflowInstance.executionId.value = str(execution)
    happened = [
        protos.HistoryEvent(eventRaised=protos.EventRaisedEvent(name=str(number)))
        for number in events
    ]
    request = protos.WorkflowRequest(
        instanceId=ID,
        pastEvents=[start_event] * written,
        newEvents=[started, *(happened if written else [start_event, *happened[1:]])],
    )
    return protos.WorkItem(workflowRequest=request)


@dataclass(eq=False)
class Attempt:
    """An attempt as the engine sees it: its turn and its events."""

    turn: int
    events: list[int]
    item: Any
    continues: bool = False
    """Whether the workflow has just continued as new, and this is the first attempt after that."""
    is_lost: bool = False


@dataclass(eq=False)
class Call:
    """A call from the worker, like gRPC's futures: the answer to an attempt, or a restart."""

    answered: Attempt | None = None
    status: grpc.StatusCode = grpc.StatusCode.OK
    callback: Callable[[Any], None] = lambda _: None

    def code(self) -> grpc.StatusCode:
        """Return how the call ended."""
        return self.status

    def details(self) -> str:
        """Return why the call failed."""
        return str(self.status)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Register a callback for the end."""
        self.callback = callback


@dataclass(frozen=True)
class Method:
    """A method of the engine that is called as a future."""

    call: Callable[[], Call]

    def future(self, _: Any, timeout: float) -> Call:
        """Make the call, which must have a deadline."""
        assert timeout > 0
        return self.call()


@dataclass
class Simulation:
    """Runs one workflow of this many events; `random` decides about every fault and delay."""

    random: Random
    events_left: int
    faults_until: float
    now: float = 1000.0
    agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    order: "itertools.count[int]" = field(default_factory=itertools.count)
    # The instance, as it is saved.
    turn: int = 0
    execution: float = 999.0
    written: int = 0
    inbox: list[int] = field(default_factory=list)
    happened: int = 0
    reacted: int = 0
    # The instance, as the engine has it in memory.
    pending: Attempt | None = None
    caller: Attempt | None = None
    retry_at: float = 0.0
    life: int = 0
    """How often the engine has crashed."""
    torn: bool = False

    def __post_init__(self) -> None:
        self._start_worker()
        self.happen()
        self.after(0.5, self._disturb)
        self.after(0.1, self._look)

    def run(self, seconds: float) -> None:
        """Run until everything due within this many seconds is done."""
        end = self.now + seconds
        while self.agenda and self.agenda[0][0] <= end and not self.torn:
            self.now, _, act = heapq.heappop(self.agenda)
            act()

    def after(self, longest: float, act: Callable[[], None]) -> None:
        """Do something within this many seconds; quickly, once faults have stopped."""
        if self.now > self.faults_until:
            longest = min(longest, 0.3)
        # Usually at once, sometimes late.
        delay = longest * self.random.choice([0.001, 0.01, 0.1, self.random.random()])
        self.at(self.now + delay, act)

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Do something at this time."""
        heapq.heappush(self.agenda, (time, next(self.order), act))

    # The engine

    def happen(self) -> None:
        """Add an event to which the workflow has to react."""
        self.inbox.append(self.happened)
        self.happened += 1
        self.begin()

    def begin(self) -> None:
        """Start an attempt if there are new events and no other attempt is running."""
        if self.caller is not None or not self.inbox or self.now < self.retry_at:
            return
        item = work_item(self.now, self.execution, self.written, self.inbox)
        attempt = Attempt(self.turn, list(self.inbox), item, self.execution == self.now)
        self.pending = self.caller = attempt
        life = self.life
        self.after(2.0, lambda: self._deliver(attempt) if life == self.life else None)

    def give_up(self) -> None:
        """Give up the call in progress; its attempt stays pending until the next replaces it.

        The first attempt after a workflow has continued as new is not delivered then: Dapr makes
        it within the call that is given up. If it was on its way all the same, its answer would end
        another turn. The rule does not cover that, which `docs/explanation/lost-worker.md` says.
        """
        if self.caller is not None:
            self.caller.is_lost = self.caller.continues
            self.caller = None
            self.retry_at = self.now + RETRY_SECONDS
            self.at(self.retry_at, self.begin)

    def receive(self, call: Call) -> None:
        """Match an answer, or a restart, with the pending attempt."""
        ended, self.pending = self.pending, None
        if ended is None:
            return  # Dapr reports no error
        if call.answered is None:
            if ended is self.caller:
                self.give_up()
        elif call.answered.turn != ended.turn:
            self.torn = True
        elif ended is self.caller:
            answered = call.answered
            self.after(6.0, lambda: self._save(ended, answered))

    def _save(self, ended: Attempt, answered: Attempt) -> None:
        if self.caller is not ended:
            return  # given up meanwhile: nothing is written
        self.caller = None
        self.reacted = max(self.reacted, max(answered.events) + 1)
        self.inbox = self.inbox[len(ended.events) :]
        self.written += 1 + len(ended.events) + answered.turn % 2
        self.turn += 1
        if self.events_left > 0 and self.random.random() < 0.2:
            self.execution, self.written = self.now, 0  # it continues as new
        if self.events_left > 0:
            for _ in range(self.random.choice([1, 1, 2])):
                self.events_left -= 1
                self.after(1.5, self.happen)
        self.begin()

    def _disturb(self) -> None:
        if self.now > self.faults_until:
            return
        self.random.choice(
            [self.give_up, self.give_up, self.give_up, self._reconnect, self._kill, self._crash]
        )()
        self.after(3.0, self._disturb)

    def _lose_stream(self) -> None:
        if self.pending is not None and self.pending.item.completionToken:
            if self.pending is self.caller:
                self.give_up()
            self.pending = None

    def _crash(self) -> None:
        """Lose everything unsaved; the worker connects again."""
        self.life += 1
        self.give_up()
        self.pending = None
        self.now += 0.001
        self.turns.open(self.now)

    # The worker

    def _start_worker(self) -> None:
        self.turns = Turns()
        self.restarts = Restarts(self.turns, grpc.insecure_channel("none"), lambda: self.now)
        self.restarts._hub = self
        self.turns.open(self.now)

    def _reconnect(self) -> None:
        self._lose_stream()
        self.now += 0.001
        self.turns.open(self.now)

    def _kill(self) -> None:
        if self.turns._held:
            return  # if it has to be woken because of that, nobody would know any more
        self._lose_stream()
        self.now += 0.001
        self._start_worker()

    def _deliver(self, attempt: Attempt) -> None:
        worker = self.turns
        if not attempt.is_lost and worker.take(attempt.item, self.now):
            self.after(0.5, lambda: self._answer(attempt, worker))

    def _answer(self, attempt: Attempt, worker: Turns) -> None:
        token = attempt.item.completionToken
        actions = [protos.WorkflowAction() for _ in range(attempt.turn % 2)]
        answer = protos.WorkflowResponse(instanceId=ID, completionToken=token, actions=actions)
        if worker is not self.turns or not worker.is_newest(ID, token):
            return
        if worker.begin_answer(answer, self.now):
            self._send(Call(attempt), lambda call: self._end_answer(worker, call))

    def _end_answer(self, worker: Turns, call: Call) -> None:
        worker.end_answer(ID, self.now, arrived=call.status in ARRIVED)

    def _send(self, call: Call, end: Callable[[Call], None]) -> None:
        worker, life = self.turns, self.life
        is_faulty = self.now < self.faults_until and self.random.random() < 0.1
        if is_faulty:
            self.after(2.0, lambda: self._fail(call, end, worker))
            return

        def arrive() -> None:
            if life != self.life:
                call.status = grpc.StatusCode.UNAVAILABLE
                end(call)
            elif worker is self.turns:  # what a dead worker had not sent never arrives
                self.receive(call)
                self.after(1.0, lambda: end(call))

        self.after(3.0, arrive)

    def _fail(self, call: Call, end: Callable[[Call], None], worker: Turns) -> None:
        """End a call without a reply; it may still arrive shortly afterwards."""
        call.status = grpc.StatusCode.DEADLINE_EXCEEDED
        end(call)
        if self.random.random() < 0.5:
            life = self.life

            def arrive() -> None:
                if worker is self.turns and life == self.life:
                    self.receive(call)

            self.at(self.now + LATE_SECONDS * self.random.random(), arrive)

    def _look(self) -> None:
        self.restarts.begin_due()
        self.at(self.now + 0.1, self._look)

    # What restarts call

    @property
    def CompleteOrchestratorTask(self) -> Method:  # noqa: N802 # the engine's name
        """Restart a turn."""
        return Method(self._restart)

    @property
    def RaiseEvent(self) -> Method:  # noqa: N802 # the engine's name
        """Wake the instance."""
        return Method(self._wake)

    def _restart(self) -> Call:
        call = Call()
        self._send(call, lambda call: call.callback(call))
        return call

    def _wake(self) -> Call:
        call = Call()
        self.happen()
        self.after(1.0, lambda: call.callback(call))
        return call
