"""What the index of workflow instances records, and how it is filtered."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from orderflow_workflow_runtime.instances import Instance, RuntimeStatus

LONGEST_ID: Final = 512
"""Instances with longer ids, which only others can start, are not listed."""
LONGEST_NAME: Final = 200
UNNAMED: Final = "unknown"
"""The name of an instance that was damaged before it was first read."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An instance in the index. `seen_at` is when this was known to be true."""

    instance_id: str
    name: str
    status: RuntimeStatus
    created_at: datetime
    last_updated_at: datetime
    seen_at: datetime

    @classmethod
    def of(cls, instance: Instance, seen_at: datetime) -> Self:
        """Make the entry of an instance that was read from the engine."""
        return cls(
            instance_id=instance.instance_id,
            name=storable_name(instance.name),
            status=instance.runtime_status,
            created_at=instance.created_at,
            last_updated_at=instance.last_updated_at,
            seen_at=seen_at,
        )

    @classmethod
    def unreadable(cls, instance_id: str, seen_at: datetime) -> Self:
        """Make the entry of an instance that could never be read."""
        return cls(
            instance_id=instance_id,
            name=UNNAMED,
            status=RuntimeStatus.UNKNOWN,
            created_at=seen_at,
            last_updated_at=seen_at,
            seen_at=seen_at,
        )

    def differs(self, instance: Instance) -> bool:
        """Whether the engine says something else by which lists are filtered or sorted."""
        now = replace(self.of(instance, self.seen_at), last_updated_at=self.last_updated_at)
        return now != self


@dataclass(frozen=True, kw_only=True)
class Change:
    """A new status of an instance, and since when it has it."""

    instance_id: str
    status: RuntimeStatus
    last_updated_at: datetime
    seen_at: datetime


@dataclass(frozen=True, kw_only=True)
class InstanceFilter:
    """The filters of a list. Every filter that is not None must match."""

    status: RuntimeStatus | None = None
    name: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None

    @property
    def is_by_time(self) -> bool:
        """Whether the list is in the order of creation, instead of by id."""
        return self.created_from is not None or self.created_before is not None

    def matches(self, instance: Instance) -> bool:
        """Whether an instance is in the list."""
        at = instance.created_at
        return (
            self.status in {None, instance.runtime_status}
            and (self.name is None or storable_name(self.name) == storable_name(instance.name))
            and (self.created_from is None or at >= self.created_from)
            and (self.created_before is None or at < self.created_before)
        )


def is_storable(instance_id: str) -> bool:
    """Whether every database can store and index the id."""
    return len(instance_id) <= LONGEST_ID and "\0" not in instance_id


def storable_name(name: str) -> str:
    """Return the name as every database can store and index it."""
    return name[:LONGEST_NAME].replace("\0", "\N{REPLACEMENT CHARACTER}")
