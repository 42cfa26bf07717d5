"""The workflow engine as a service uses it, and the errors it raises."""

from typing import Any, ClassVar, Protocol

from orderflow_hosting.problems import Unavailable
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import HistoryEvent, Instance


class AlreadyRunning(Exception):
    """An instance with this id is active."""


class NoSuchInstance(Exception):
    """The engine has no instance with this id."""


class EngineUnavailable(Unavailable):
    """The engine did not respond; whether it has done what was requested is unknown."""

    code: ClassVar = "SIDECAR_UNAVAILABLE"
    detail: ClassVar = "the workflow engine does not respond at the moment"


class InstanceDamaged(EngineUnavailable):
    """The engine responds, but cannot load this instance: its stored history is damaged.

    While the engine is writing the instance, this may be reported for a moment.
    """

    code: ClassVar = "WORKFLOW_DAMAGED"
    detail: ClassVar = "the stored history of this workflow instance is damaged"


class CannotRerun(Exception):
    """The engine cannot run the instance again from this event, or under this id."""


class Engine(Protocol):
    """What a service needs to start workflows and send them events."""

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        """Start a workflow; it replaces a finished instance with the same id.

        Raises `AlreadyRunning` or `EngineUnavailable`.
        """
        ...

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:
        """Read an instance; None when there is none.

        Raises `EngineUnavailable`, or `InstanceDamaged`, which is one.
        """
        ...

    async def raise_event(self, instance_id: str, event: str, payload: Any) -> None:
        """Send an event to an instance, which buffers it until the workflow waits for it.

        A finished instance ignores it. Raises `NoSuchInstance` or `EngineUnavailable`.
        """
        ...


class ReplacingEngine(Engine, Protocol):
    """What a service needs to replace an instance that cannot go on.

    All methods raise `EngineUnavailable`, and `InstanceDamaged`, which is a kind of it.
    """

    async def recording(self, instance_id: str) -> Recording:
        """Read the whole history of an instance. Raises `NoSuchInstance`."""
        ...

    async def discard(self, instance_id: str, *, with_children: bool) -> None:
        """Delete an instance from the engine, finished or not, so that its id is free.

        An activity that is running is not interrupted. Raises `InstanceDamaged` if the engine
        cannot load the instance and its store is out of reach.
        """
        ...


class ManagedEngine(Engine, Protocol):
    """What an operator needs in addition.

    All methods raise `EngineUnavailable`; all but `ids` raise `NoSuchInstance`.
    """

    async def instance(
        self, instance_id: str, *, payloads: bool = True, patient: bool = True
    ) -> Instance | None:
        """Do what `Engine.instance` does.

        Unless it is patient, an instance also counts as damaged while the engine is writing it.
        """
        ...

    async def pause(self, instance_id: str) -> None:
        """Suspend an instance; a finished one ignores this, and `resume` and `terminate` too."""
        ...

    async def resume(self, instance_id: str) -> None:
        """Resume a suspended instance."""
        ...

    async def terminate(self, instance_id: str, output: Any = None) -> None:
        """End an instance and its children."""
        ...

    async def purge(self, instance_id: str) -> None:
        """Delete a finished instance and its children.

        Raises `EngineUnavailable` for an active one.
        """
        ...

    async def rerun(
        self, instance_id: str, event_id: int, new_instance_id: str | None, payload: Any = ...
    ) -> str:
        """Run a finished instance again from an event on, as a new instance; return its id.

        Raises `CannotRerun` and `AlreadyRunning`.
        """
        ...

    async def finished(self, instance_id: str, within: float) -> Instance | None:
        """Wait until an instance has finished; an unknown one may still be started.

        Raises `TimeoutError` if that takes longer than so many seconds.
        """
        ...

    async def ids(self, limit: int, token: str | None) -> tuple[list[str], str | None]:
        """List up to `limit` instance ids, and the token for the next page if there is one."""
        ...

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read the events of an instance, oldest first."""
        ...
