"""Types for workflows and the tasks that they yield, so that mypy can check a whole workflow.

A workflow, and each part of one, is a `Generator[Task[Any], Any, Result]`.
"""

from collections.abc import Callable, Generator
from typing import Any

from dapr.ext.workflow._durabletask.task import Task  # the SDK has no public name for it

__all__ = ["Task", "Workflow"]

Workflow = Callable[..., Generator[Task[Any], Any, Any]]
