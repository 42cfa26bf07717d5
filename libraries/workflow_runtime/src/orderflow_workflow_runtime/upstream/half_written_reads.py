"""Repeats a read of an instance that the engine was writing at that moment.

Upstream: dapr/dapr#10242.

Versions: Dapr 1.18.1; the issue is closed, but no released version is known to have the fix.

Above: harmless. Only a read that fails in this way is repeated.

How it shows: reading the state or the history of a running instance sometimes fails with `UNKNOWN`
and "declared in metadata … but missing from state store". The engine reads in two steps, without a
lock, and a turn was saved in between. The next read succeeds.

Delete when: daprd repeats such a read itself. `tests/system/upstream/test_half_written_reads.py`
fails then.
"""

from typing import Any, Final

from orderflow_workflow_runtime.upstream.error_texts import details_of

PAUSES_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""The pauses before each repetition; a turn is saved within milliseconds."""


def is_half_written(error: Any) -> bool:
    """Whether a read failed because the engine was writing the instance."""
    return "missing from state store" in details_of(error)
