"""A workflow can be registered in several runtimes of one process."""

from typing import Any

import pytest
from dapr.ext.workflow import WorkflowRuntime

from orderflow_workflow_runtime.upstream.registration import unmarked


def test_an_unmarked_workflow_can_be_registered_again() -> None:
    """If a marked one can be, too, upstream/registration.py can be deleted."""

    def workflow(_: Any, payload: int = 1) -> int:
        return payload

    WorkflowRuntime().register_workflow(workflow, name="workflow")

    with pytest.raises(ValueError, match="already registered"):
        WorkflowRuntime().register_workflow(workflow, name="workflow")  # or delete the module
    WorkflowRuntime().register_workflow(unmarked(workflow), name="workflow")
    assert unmarked(workflow)(None) == 1
