"""The workflow engine as a service uses it, and how it fails."""

from typing import Any, ClassVar, Protocol

from orderflow_hosting.problems import Unavailable
from orderflow_workflow_runtime.instances import HistoryEvent, Instance


class AlreadyRunning(Exception):
    """A workflow with this id is active."""


class NoSuchInstance(Exception):
    """The engine knows no workflow with this id."""


class EngineUnavailable(Unavailable):
    """The engine did not answer; whether it did what was asked is not known."""

    code: ClassVar = "SIDECAR_UNAVAILABLE"
    detail: ClassVar = "the workflow engine does not answer at the moment"


class CannotRerun(Exception):
    """The engine cannot run an instance again from the event that was named."""


class Engine(Protocol):
    """What taking orders in needs of the workflow engine."""

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Start a workflow. Raises `AlreadyRunning` or `EngineUnavailable`."""
        ...

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:
        """Read an instance; None when there is none. Raises `EngineUnavailable`."""
        ...

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Hand an event to an instance, which keeps it until it waits for it.

        Raises `NoSuchInstance` or `EngineUnavailable`.
        """
        ...


class ManagedEngine(Engine, Protocol):
    """What managing workflows needs besides. All raise `EngineUnavailable` and `NoSuchInstance`."""

    async def pause(self, instance_id: str) -> None:
        """Suspend an instance."""
        ...

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        ...

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        """End an instance and its children."""
        ...

    async def purge(self, instance_id: str) -> None:
        """Forget a finished instance and its children."""
        ...

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = ...
    ) -> str:
        """Run a finished instance again from an event on; return the new id.

        Raises `CannotRerun` and `AlreadyRunning`.
        """
        ...

    async def finished(self, instance_id: str) -> Instance | None:
        """Wait until an instance has finished."""
        ...

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """List instance ids page by page."""
        ...

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read what happened to an instance, oldest first."""
        ...
