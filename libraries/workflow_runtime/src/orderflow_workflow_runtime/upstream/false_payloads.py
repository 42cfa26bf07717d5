"""Sends payloads such as 0, false, "" and [] with events and terminations.

Upstream: not reported as of 2026-11; dapr/python-sdk#574 was the same fault for activities.

Versions: SDK 1.19.0 (`raise_workflow_event` and `terminate_workflow`), with any Dapr.

Above: harmless. The requests are complete, whatever the SDK's client does.

How it shows: the workflow gets None for the event, or the terminated instance has no output.

Delete when: `tests/system/upstream/test_payloads.py` fails because the SDK sends them; then
call the SDK's client.
"""

import json
from typing import Any

from dapr.ext.workflow._durabletask.internal import protos
from google.protobuf.wrappers_pb2 import StringValue


def event_request(instance_id: str, event: str, payload: Any) -> Any:
    """Return the request to raise an event; None is no payload."""
    return protos.RaiseEventRequest(instanceId=instance_id, name=event, input=_value(payload))


def termination_request(instance_id: str, output: Any) -> Any:
    """Return the request to terminate an instance and its children; None is no output."""
    return protos.TerminateRequest(instanceId=instance_id, output=_value(output), recursive=True)


def _value(payload: Any) -> StringValue | None:
    return StringValue(value=json.dumps(payload)) if payload is not None else None
