"""Restarts turns: the engine ends the pending attempt, if any, and begins another.

Dapr 1.18 has no call for that. But when it cannot apply an answer, it ends the attempt without
writing anything, logs `unknown action type`, and makes another attempt after a second. Such an
answer has an action of a known kind without its required fields. An action without a kind would
crash Dapr.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
import structlog
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, protos

from orderflow_workflow_runtime.upstream.torn_histories.attempts import Attempt
from orderflow_workflow_runtime.upstream.torn_histories.turns import Step, Turns

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CALL_SECONDS: Final = 5.0
WAKING_EVENT: Final = "turn_was_repeated"
"""An external event that no workflow waits for; it only makes the engine begin a turn."""


_INAPPLICABLE: Final = protos.WorkflowAction(
    createDetachedWorkflow=protos.CreateDetachedWorkflowAction()
)


class Restarts:
    """Restarts the turns of doubtful attempts, without blocking the caller."""

    def __init__(
        self, turns: Turns, channel: grpc.Channel, clock: Callable[[], float] = time.time
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)

    def begin_due(self) -> None:
        """Send all restarts and events that are due."""
        for attempt, step in self._turns.due(self._clock()):
            if step is Step.RESTART:
                self._restart(attempt)
            else:
                self._wake(attempt)

    def _restart(self, attempt: Attempt) -> None:
        answer = protos.WorkflowResponse(instanceId=attempt.instance_id, actions=[_INAPPLICABLE])
        call = self._hub.CompleteOrchestratorTask.future(answer, timeout=CALL_SECONDS)
        call.add_done_callback(lambda call: self._restarted(attempt, call))

    def _restarted(self, attempt: Attempt, call: Any) -> None:
        if call.code() is grpc.StatusCode.OK:
            log.info("turn_restarted", instance_id=attempt.instance_id)
            self._turns.restarted(attempt, self._clock())
        else:
            log.warning("turn_not_restarted", instance_id=attempt.instance_id, why=call.details())

    def _wake(self, attempt: Attempt) -> None:
        event = protos.RaiseEventRequest(instanceId=attempt.instance_id, name=WAKING_EVENT)
        call = self._hub.RaiseEvent.future(event, timeout=CALL_SECONDS)
        call.add_done_callback(lambda call: self._woken(attempt, call))

    def _woken(self, attempt: Attempt, call: Any) -> None:
        if call.code() is grpc.StatusCode.OK:
            log.info("instance_woken", instance_id=attempt.instance_id)
            self._turns.release(attempt)
        elif "no such instance" in (call.details() or ""):
            self._turns.release(attempt)  # it was purged: there is nothing to wake
        else:
            log.warning("instance_not_woken", instance_id=attempt.instance_id, why=call.details())
