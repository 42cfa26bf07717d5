"""Compensation: undoes the steps of a workflow, newest first."""

import json
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError
from pydantic import BaseModel

from orderflow_workflow_runtime.authoring.tasks import Task


class Saga:
    """The activities that undo what a workflow has done, should it fail.

    Register the activity that undoes a step before the step itself: a step that failed half-way may
    have had its effect. Forget it where nothing is left to undo. `undo` runs the registered
    activities newest first, each with retries, and continues when one fails.
    """

    def __init__(self, ctx: DaprWorkflowContext, retry: RetryPolicy) -> None:
        self._ctx = ctx
        self._retry = retry
        self._registered: list[str] = []

    def register(self, activity: str) -> None:
        """Add the activity, by name, that undoes the next step; a second time has no effect."""
        if activity not in self._registered:
            self._registered.append(activity)

    def forget(self, activity: str) -> None:
        """Remove an activity that has nothing left to undo."""
        self._registered.remove(activity)

    def undo(self, why: BaseModel) -> Generator[Task[Any], Any, list[str]]:
        """Undo everything, with `why` as the input; return the names of the activities that failed.

        The custom status shows them too, so that a person knows where to look.
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
