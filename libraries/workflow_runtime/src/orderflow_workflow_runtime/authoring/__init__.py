"""All that workflow code may import: types, payloads, retry policies, compensation.

Nothing here reads a clock or the environment, or does I/O, so that a replay repeats every step.
"""

from orderflow_workflow_runtime.authoring.payload import Payload
from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY, retry_for
from orderflow_workflow_runtime.authoring.saga import Saga
from orderflow_workflow_runtime.authoring.tasks import Task, Workflow

__all__ = ["RETRY_FOR_A_DAY", "Payload", "Saga", "Task", "Workflow", "retry_for"]
