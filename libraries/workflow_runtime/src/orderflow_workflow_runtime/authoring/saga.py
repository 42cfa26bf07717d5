"""Undoing in reverse order: one small piece for any workflow that must take steps back."""

import json
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError
from pydantic import BaseModel

from orderflow_workflow_runtime.authoring.tasks import Task


class Saga:
    """The steps to take back if a workflow does not come to its good end.

    Register the activity that undoes a step before the step itself is done: a step that failed
    half-way may have had its effect. Forget it where nothing is left to undo. `undo` runs the
    registered activities newest first, each with retries, and goes on when one fails.
    """

    def __init__(self, ctx: DaprWorkflowContext, retry: RetryPolicy) -> None:
        self._ctx = ctx
        self._retry = retry
        self._registered: list[str] = []

    def register(self, activity: str) -> None:
        """Remember the activity, by name, that undoes the step about to be done; once is enough."""
        if activity not in self._registered:
            self._registered.append(activity)

    def forget(self, activity: str) -> None:
        """There is nothing for this activity to undo any more."""
        self._registered.remove(activity)

    def undo(self, why: BaseModel) -> Generator[Task[Any], Any, list[str]]:
        """Undo everything, giving each activity `why`; return the names of those that failed.

        They are shown in the custom status too, so that a person sees where to look.
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
