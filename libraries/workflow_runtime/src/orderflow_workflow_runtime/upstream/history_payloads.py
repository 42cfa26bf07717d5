"""Reads histories with the inputs and results of their events.

Upstream: dapr/python-sdk#1217 added `get_workflow_history`, whose events leave the payloads out;
that they do is not reported as of 2026-11.

Versions: SDK 1.19.0, with any Dapr.

How it shows: `WorkflowHistoryEvent` has no `input` and no `result`, although the engine sends both.

Delete when: `tests/system/upstream/test_payloads.py` fails because the SDK's events have
them; then call the SDK's client.
"""

from typing import Any

from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, protos


def engine_stub(channel: Any) -> Any:
    """Return the engine's API on a channel, as the SDK's client calls it inside."""
    return orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(channel)


def history_request(instance_id: str) -> Any:
    """Return the request for a history, to be sent with the stub's `GetInstanceHistory`."""
    return protos.GetInstanceHistoryRequest(instanceId=instance_id)
