"""The guard around the SDK's worker that applies the rule about turns."""

from typing import Any

import grpc
from dapr.ext.workflow import WorkflowRuntime

from orderflow_workflow_runtime.upstream.torn_histories.restarts import Restarts
from orderflow_workflow_runtime.upstream.torn_histories.turns import Turns
from orderflow_workflow_runtime.upstream.torn_histories.work_items import SafeTurns


class TurnGuard:
    """Guards the connection of one worker to the sidecar at an address."""

    def __init__(self, sidecar: str) -> None:
        self._turns = Turns()
        self._channel = grpc.insecure_channel(sidecar)
        self.interceptor = SafeTurns(self._turns, Restarts(self._turns, self._channel))
        """Must be among the interceptors of the worker's channel."""

    def install(self, runtime: WorkflowRuntime) -> None:
        """Make the worker skip turns that have been replaced while they waited in its queue."""
        skip_replaced(runtime, self._turns)

    def switch_off(self) -> None:
        """Let everything pass as it is."""
        self.interceptor.is_on = False

    def close(self) -> None:
        """Close the connection on which turns are restarted."""
        self._channel.close()


def skip_replaced(runtime: WorkflowRuntime, turns: Turns) -> None:
    """Do not run turns whose answers would be dropped: they would delay others in the queue."""
    sdk = vars(runtime)["_WorkflowRuntime__worker"]  # the SDK offers no hook for this
    execute = sdk._execute_orchestrator  # noqa: SLF001 # likewise

    def execute_newest(request: Any, token: str, *rest: Any) -> None:
        if turns.is_newest(request.instanceId, token):
            execute(request, token, *rest)

    sdk._execute_orchestrator = execute_newest  # noqa: SLF001 # likewise
