"""Keeps results of an earlier run from a new run under the same instance id.

Upstream: not reported as of 2026-11.

Versions: Dapr 1.18.1 (`addWorkflowEvent` and `stripUnmatchedResolutions` in
`pkg/actors/targets/workflow/orchestrator`), with any SDK.

Above: harmless. The numbers of actions need not begin at 1.

How it shows: an instance is purged while one of its activities runs, and another one is started
under its id. The activity's result completes the action of the new run that has the same number:
the engine compares only the id of the instance and the number, not the execution. It drops a result
whose number no action of the new run has, so the actions of a new run get numbers of their own.

Delete when: Dapr drops results of an earlier execution. `tests/system/test_late_results.py` fails
then.
"""

import zlib
from typing import Any, Final

APART: Final = 1_000
"""The numbers of two runs are at least this far apart; no run of an order has so many actions."""
_PLACES: Final = 2_000_000
"""So many ranges of numbers fit into the engine's 32 bits."""


def first_action_of(run_id: str) -> int:
    """Return the number after which the actions of a run count; derived from its id."""
    return APART * (1 + zlib.crc32(run_id.encode()) % _PLACES)


def number_actions_after(ctx: Any, number: int) -> None:
    """Let a workflow's actions count from the next number; call it before the first action."""
    if number:
        vars(ctx)["_DaprWorkflowContext__obj"]._sequence_number = number  # noqa: SLF001 # the SDK has no hook
