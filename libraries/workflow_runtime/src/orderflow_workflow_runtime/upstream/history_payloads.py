"""Reads histories with the inputs and results of their events.

Upstream: not reported as of 2026-11. dapr/python-sdk#1217 added `get_workflow_history`, whose
events omit the payloads.

Versions: SDK 1.19.0, with any Dapr.

Above: harmless. The engine's own reply is read, whatever the SDK's client does.

How it shows: `WorkflowHistoryEvent` has no `input` and no `result`, although the engine sends both.

Delete when: `tests/system/upstream/test_payloads.py` fails because the SDK's events have
them; then call the SDK's client.
"""

from typing import Any

from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, protos


def engine_stub(channel: Any) -> Any:
    """Return the engine's API on a channel, which the SDK's client uses internally."""
    return orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)


def history_request(instance_id: str) -> Any:
    """Return the request for a history, to be sent with the stub's `GetInstanceHistory`."""
    return protos.GetInstanceHistoryRequest(instanceId=instance_id)
