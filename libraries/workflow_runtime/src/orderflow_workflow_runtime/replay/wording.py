"""Puts the engine's messages into words: how a workflow ends, and what it asks for."""

import json
from typing import Any

from dapr.ext.workflow._durabletask.internal import helpers


def meaning(end: Any) -> tuple[int, object]:
    """Return what must be equal for two ends to match; the message of a failure may differ."""
    if end.failureDetails.errorType:
        return end.workflowStatus, end.failureDetails.errorType
    try:
        return end.workflowStatus, json.loads(end.result.value or "null")
    except ValueError:  # an operator may terminate with any text
        return end.workflowStatus, end.result.value


def ending(end: Any) -> str:
    """Describe how a workflow ends."""
    status = helpers.get_orchestration_status_str(end.workflowStatus)
    if end.failureDetails.errorType:
        return f"the workflow fails with {end.failureDetails.errorType}"
    return f"the workflow ends as {status} with {end.result.value or 'nothing'}"


def asking(action: Any) -> str:
    """Describe what a workflow asks the engine for."""
    kind = action.WhichOneof("workflowActionType")
    details = getattr(action, kind)
    if kind == "scheduleTask":
        return f"the code calls the activity {details.name}"
    if kind == "createChildWorkflow":
        return f"the code starts the child workflow {details.name}"
    if kind == "createTimer":
        if details.HasField("externalEvent"):
            return f"the code waits for the event {details.externalEvent.name}"
        is_retry = details.HasField("activityRetry") or details.HasField("childWorkflowRetry")
        return "the code pauses before it retries" if is_retry else "the code sets a timer"
    return f"the code asks for {kind}"
