"""Lets a workflow function be registered more than once in a process.

Upstream: not reported as of 2026-11.

Versions: SDK 1.19.0 (`WorkflowRuntime.register_workflow`), with any Dapr.

Above: harmless. A copy of a function can be registered with any SDK.

How it shows: the SDK marks the function itself as registered, so a second runtime in the process
(a replay, a test) raises `ValueError`.

Delete when: `tests/unit/workflow_runtime/test_registration.py` fails because the SDK stores the
mark in the runtime.
"""

from types import FunctionType
from typing import Any


def unmarked(workflow: Any) -> Any:
    """Return a copy of a function without the marks of a runtime."""
    copy = FunctionType(
        workflow.__code__,
        workflow.__globals__,
        workflow.__name__,
        workflow.__defaults__,
        workflow.__closure__,
    )
    copy.__annotations__ = workflow.__annotations__
    copy.__kwdefaults__ = workflow.__kwdefaults__
    return copy
