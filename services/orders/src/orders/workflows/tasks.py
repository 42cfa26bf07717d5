"""What a workflow may yield: the tasks of its context, and nothing else, which mypy checks.

A workflow, and each part of one, is a `Generator[Task[Any], Any, Result]`.
"""

from dapr.ext.workflow._durabletask.task import Task  # the SDK has no public name for it

__all__ = ["Task"]
