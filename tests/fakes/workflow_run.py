"""Runs a workflow as the engine does, with the SDK's own tasks, one event at a time."""

import inspect
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, cast

from dapr.ext.workflow import DaprWorkflowContext
from dapr.ext.workflow._durabletask.internal import protos
from dapr.ext.workflow._durabletask.task import CompletableTask, OrchestrationContext, RetryPolicy
from pydantic import BaseModel

Answer = Callable[[str, Any], Awaitable[object]]
"""Returns the result of an activity by its name and input; an exception fails the activity."""

STARTED_AT = datetime(2026, 3, 1, 12, 0, 0)  # noqa: DTZ001 # the engine's clock has no time zone


ONCE = RetryPolicy(first_retry_interval=timedelta(seconds=1), max_number_of_attempts=1)
"""The retry policy of an activity that is called without one."""


@dataclass(frozen=True)
class Call:
    """An activity that a workflow called, with its input as JSON."""

    name: str
    input: Any
    retry: RetryPolicy


@dataclass(frozen=True)
class Event:
    """An external event, raised when nothing else is left to do."""

    name: str
    data: Any = None


@dataclass(frozen=True)
class TimerFires:
    """The next timer fires when nothing else is left to do."""


@dataclass(frozen=True)
class Child:
    """A child workflow that a workflow started, with its input as JSON."""

    name: str
    instance_id: str
    input: Any


@dataclass(frozen=True)
class ChildEnds:
    """A child ends, with a result or an error, when nothing else is left to do.

    It is the one with this id, or the one that was started first.
    """

    result: Any = None
    error: str | None = None
    instance_id: str | None = None


Happening = Event | TimerFires | ChildEnds


class _Orchestration:
    """What the SDK's workflow context needs."""

    def __init__(self, instance_id: str, early: Iterable[Event]) -> None:
        self.instance_id = instance_id
        self.current_utc_datetime = STARTED_AT
        self.is_replaying = False
        self.calls: list[Call] = []
        self.timers: list[tuple[timedelta, CompletableTask[None]]] = []
        self.open_calls: deque[tuple[Call, CompletableTask[Any]]] = deque()
        self.children: list[Child] = []
        self.open_children: dict[str, CompletableTask[Any]] = {}
        self.waits: defaultdict[str, deque[CompletableTask[Any]]] = defaultdict(deque)
        self._kept = {event.name: event.data for event in early}
        self.custom_status: str | None = None
        self.continued_with: list[tuple[Any, bool]] = []

    def call_activity(
        self,
        activity: str,
        *,
        input: Any,  # noqa: A002 # so does the SDK name it
        retry_policy: RetryPolicy = ONCE,
        **_: Any,
    ) -> CompletableTask[Any]:
        task: CompletableTask[Any] = CompletableTask()
        call = Call(activity, _through_json(input), retry_policy)
        self.calls.append(call)
        self.open_calls.append((call, task))
        return task

    def call_sub_orchestrator(
        self,
        orchestrator: str,
        *,
        input: Any,  # noqa: A002 # so does the SDK name it
        instance_id: str,
        **_: Any,
    ) -> CompletableTask[Any]:
        task: CompletableTask[Any] = CompletableTask()
        self.children.append(Child(orchestrator, instance_id, _through_json(input)))
        self.open_children[instance_id] = task
        return task

    def create_timer(self, fire_at: timedelta) -> CompletableTask[None]:
        task: CompletableTask[None] = CompletableTask()
        self.timers.append((fire_at, task))
        return task

    def wait_for_external_event(self, name: str, **_: Any) -> CompletableTask[Any]:
        task: CompletableTask[Any] = CompletableTask()
        if name in self._kept:
            task.complete(self._kept.pop(name))
        else:
            self.waits[name].append(task)
        return task

    def set_custom_status(self, custom_status: str) -> None:
        self.custom_status = custom_status

    def continue_as_new(self, new_input: Any, *, save_events: bool = False) -> None:
        self.continued_with.append((_through_json(new_input), save_events))


class WorkflowRun:
    """One run of a workflow: its calls and its outcome."""

    def __init__(
        self,
        workflow: Callable[..., Any],
        payload: Any,
        answer: Answer,
        *,
        happenings: Iterable[Happening] = (),
        early: Iterable[Event] = (),
    ) -> None:
        self._orchestration = _Orchestration("order-1", early)
        self._context = DaprWorkflowContext(cast(OrchestrationContext, self._orchestration))
        self._workflow = workflow
        self._payload = payload
        self._answer = answer
        self._happenings = deque(happenings)

    @property
    def calls(self) -> list[Call]:
        """The activities that were called, in order."""
        return self._orchestration.calls

    @property
    def children(self) -> list[Child]:
        """The child workflows that were started."""
        return self._orchestration.children

    @property
    def timers(self) -> list[timedelta]:
        """The timers that were set."""
        return [patience for patience, _ in self._orchestration.timers]

    @property
    def running_children(self) -> list[str]:
        """The child workflows that have not ended."""
        return list(self._orchestration.open_children)

    @property
    def custom_status(self) -> str | None:
        """The workflow's custom status."""
        return self._orchestration.custom_status

    @property
    def continued_with(self) -> list[tuple[Any, bool]]:
        """The inputs with which it continued as new, and whether buffered events are kept."""
        return self._orchestration.continued_with

    async def run_to_end(self) -> Any:
        """Run until the workflow returns; raise what it raises."""
        steps = self._workflow(self._context, self._payload)
        try:
            awaited = next(steps)
            while True:
                await self._complete(awaited)
                if awaited.is_failed:
                    awaited = steps.throw(awaited.get_exception())
                else:
                    awaited = steps.send(awaited.get_result())
        except StopIteration as end:
            return end.value

    async def _complete(self, awaited: Any) -> None:
        while not awaited.is_complete:
            if self._orchestration.open_calls:
                await self._carry_out(*self._orchestration.open_calls.popleft())
            else:
                assert self._happenings, "the workflow waits, and nothing happens any more"
                self._happen(self._happenings.popleft())

    async def _carry_out(self, call: Call, task: CompletableTask[Any]) -> None:
        try:
            result = _through_json(await self._answer(call.name, call.input))
        except Exception as error:  # noqa: BLE001 # the engine hands any failure to the workflow
            details = protos.TaskFailureDetails(
                errorType=type(error).__name__, errorMessage=str(error)
            )
            task.fail(f"{call.name} failed", details)
        else:
            task.complete(result)

    def _happen(self, happening: Happening) -> None:
        if isinstance(happening, Event):
            self._orchestration.waits[happening.name].popleft().complete(happening.data)
        elif isinstance(happening, ChildEnds):
            under_way = self._orchestration.open_children
            child = under_way.pop(happening.instance_id or next(iter(under_way)))
            if happening.error is None:
                child.complete(happening.result)
            else:
                details = protos.TaskFailureDetails(errorType="X", errorMessage=happening.error)
                child.fail("the child failed", details)
        else:
            timers = [timer for timer in self._orchestration.timers if not timer[1].is_complete]
            min(timers, key=itemgetter(0))[1].complete(None)


def carried_out_by(activities: object) -> Answer:
    """Run calls by the activities of an object, as the worker does."""

    async def answer(name: str, payload: Any) -> object:
        activity = getattr(activities, name)
        _, model = inspect.signature(activity).parameters.values()
        return await activity(None, model.annotation.model_validate_json(json.dumps(payload)))

    return answer


def _through_json(value: Any) -> Any:
    """Convert a value to JSON and back, as the engine does."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return json.loads(json.dumps(value))
