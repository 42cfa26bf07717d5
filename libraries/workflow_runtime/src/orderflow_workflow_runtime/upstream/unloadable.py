"""Removes an instance that the engine can no longer load, and one that it still has in memory.

Upstream: not reported as of 2026-11.

Versions: Dapr 1.18.1 (`LoadWorkflowState` in `pkg/runtime/wfengine/state`), with any SDK.

Above: harmless. Only an instance that cannot be loaded is removed from the store directly.

How it shows: once an entry of an instance's history or inbox is missing from the state store, or
cannot be parsed, every call about the instance fails: reading, raising, terminating, purging even
by force, and starting under its id. Its metadata, which names the entries, must be deleted; Dapr
refuses keys of the engine in its state API, but an output binding for the same store can do it.
The instance's reminders stay in the scheduler, until another instance under its id is purged.
A forced purge of any other instance deletes its entries, but leaves the engine with a copy in
memory, which blocks the id; another purge fails and drops that copy. A forced purge of an instance
that does not exist is a nil dereference in daprd.

Delete when: a forced purge removes such an instance, and the copy. Then
`tests/system/test_damaged_histories.py` passes without this module.
"""

import json
from typing import Any, Final

from dapr.ext.workflow._durabletask.internal import protos

from orderflow_workflow_runtime.upstream.error_texts import details_of
from orderflow_workflow_runtime.upstream.half_written_reads import is_half_written

UNLOADABLE: Final = ("failed to unmarshal", "not found in state store")
_TABLE: Final = "state"
_NEVER: Final = 253_370_764_800
"""The first day of the year 9999, in seconds since the epoch."""


def is_unloadable(error: Any) -> bool:
    """Whether the engine could not load an instance; it may be writing it at the moment."""
    details = details_of(error)
    return is_half_written(error) or any(text in details for text in UNLOADABLE)


def purge_request(instance_id: str, *, force: bool, with_children: bool = False) -> Any:
    """Return the request to purge an instance, finished or not with `force`."""
    return protos.PurgeInstancesRequest(
        instanceId=instance_id, force=force, recursive=with_children
    )


def placeholder(instance_id: str) -> Any:
    """Return the request to create an instance that starts only after it has been purged."""
    request = protos.CreateInstanceRequest(instanceId=instance_id, name="placeholder")
    request.scheduledStartTimestamp.FromSeconds(_NEVER)
    return request


def deletion(kind: str, key: str) -> tuple[str, dict[str, str]] | None:
    """Return the operation and metadata by which a binding of this type deletes a key, if known."""
    if kind == "bindings.redis":
        return "delete", {"key": key}
    if kind in {"bindings.postgres", "bindings.postgresql"}:
        sql = f"DELETE FROM {_TABLE} WHERE key = $1"  # noqa: S608 # the table's name is constant
        return "exec", {"sql": sql, "params": json.dumps([key])}
    return None


def metadata_key(app_id: str, actor_type: str, instance_id: str) -> str:
    """Return the key under which the engine stores which entries an instance has."""
    return f"{app_id}||{actor_type}||{instance_id}||metadata"
