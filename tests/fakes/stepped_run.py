"""A run of a workflow that goes on only as a test says, one activity or event at a time."""

from collections import deque
from operator import itemgetter
from typing import Any

from fakes.workflow_run import WorkflowRun, _through_json
from orders.payments.provider import PaymentUnavailable


class SteppedRun(WorkflowRun):
    """A run whose activities are carried out as often as the test says, until it takes a result."""

    def begin(self) -> None:
        """Run the workflow's code up to its first wait."""
        self.result: Any = None
        self._steps = self._workflow(self._context, self._payload)
        self._awaited = next(self._steps)
        self._go_on()

    @property
    def has_ended(self) -> bool:
        """Whether the workflow has returned."""
        return self.result is not None

    @property
    def is_busy(self) -> bool:
        """Whether an activity has to be carried out."""
        return bool(self._orchestration.open_calls)

    async def carry_out(self, *, is_lost: bool = False) -> None:
        """Carry out the oldest call; it stays open if it fails, or if its result is lost."""
        call, task = self._orchestration.open_calls[0]
        try:
            result = _through_json(await self._answer(call.name, call.input))
        except (ConnectionError, PaymentUnavailable):
            return
        if is_lost or task.is_complete:
            return
        self._orchestration.open_calls.popleft()
        task.complete(result)
        self._go_on()

    def end(self) -> None:
        """Forget what was to be carried out: the engine has lost the run."""
        self._orchestration.open_calls.clear()

    def receive(self, event: str, data: Any) -> None:
        """Hand over an event; it is kept until the workflow waits for it."""
        waits: deque[Any] = self._orchestration.waits[event]
        if waits:
            waits.popleft().complete(data)
            self._go_on()
        else:
            self._orchestration._kept[event] = data

    def fire_timer(self) -> None:
        """Let the next timer fire, if there is one."""
        timers = [timer for timer in self._orchestration.timers if not timer[1].is_complete]
        if timers:
            min(timers, key=itemgetter(0))[1].complete(None)
            self._go_on()

    def _go_on(self) -> None:
        """Run the workflow's code until it waits for what has not happened yet."""
        try:
            while self._awaited.is_complete:
                self._awaited = self._steps.send(self._awaited.get_result())
        except StopIteration as end:
            self.result = end.value
