"""Restarts of turns: the engine is asked to end whatever attempt is pending, and to begin another.

Dapr 1.18 has no call for that. But when it cannot apply an answer, it ends the attempt without
writing anything, logs `unknown action type`, and makes another attempt after a second. The answer
that it cannot apply is an action that it knows by name only, without the fields that it requires.
An answer with an action of no kind at all would crash it.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
import structlog
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, protos

from orderflow_workflow_runtime.upstream.attempts import Attempt
from orderflow_workflow_runtime.upstream.turns import Step, Turns

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CALL_SECONDS: Final = 5.0
WAKING_EVENT: Final = "turn_was_repeated"
"""An external event that no workflow waits for: it only makes the engine begin a turn."""


_INAPPLICABLE: Final = protos.WorkflowAction(
    createDetachedWorkflow=protos.CreateDetachedWorkflowAction()
)


class Restarts:
    """Restarts the turns of doubtful attempts, without blocking whoever asks for it."""

    def __init__(
        self, turns: Turns, channel: grpc.Channel, clock: Callable[[], float] = time.time
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)

    def begin_due(self) -> None:
        """Send all those restarts and events whose time has come."""
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
            self._turns.release(attempt)  # it was purged: there is nobody to wake
        else:
            log.warning("instance_not_woken", instance_id=attempt.instance_id, why=call.details())
