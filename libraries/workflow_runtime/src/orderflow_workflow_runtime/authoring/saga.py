"""Compensation: undoes the steps of a workflow, newest first."""

import json
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError
from pydantic import BaseModel

from orderflow_workflow_runtime.authoring.tasks import Task


class Saga:
    """The activities that undo the steps of a workflow if it fails.

    Register a compensation before running its step, because a step that fails may still have had
    its effect. Forget it once there is nothing left to undo. `undo` runs the registered activities
    newest first, each with retries, and continues if one fails.
    """

    def __init__(self, ctx: DaprWorkflowContext, retry: RetryPolicy) -> None:
        self._ctx = ctx
        self._retry = retry
        self._registered: list[str] = []

    def register(self, activity: str) -> None:
        """Add the activity, by name, that undoes the next step; repeating it has no effect."""
        if activity not in self._registered:
            self._registered.append(activity)

    def forget(self, activity: str) -> None:
        """Remove an activity that has nothing left to undo."""
        self._registered.remove(activity)

    def undo(self, why: BaseModel) -> Generator[Task[Any], Any, list[str]]:
        """Undo everything, with `why` as the input; return the names of the activities that failed.

        The custom status lists them too, for the person who repairs the order by hand.
        """
        failed = []
        while self._registered:
            activity = self._registered.pop()
            try:
                yield self._ctx.call_activity(activity, input=why, retry_policy=self._retry)
            except TaskFailedError:
                failed.append(activity)
        if failed:
            self._ctx.set_custom_status(json.dumps({"not_undone": failed}))
        return failed
