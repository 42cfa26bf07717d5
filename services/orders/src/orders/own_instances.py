"""The workflow instances that the service starts for itself, under ids that no user can write.

A dot sets their ids apart from the ids of orders and from those that the management API accepts.
Versions before this rule used other ids; instances of theirs that are still active are found.
"""

from dataclasses import dataclass
from typing import Any, Final

from orderflow_workflow_runtime.instances import Instance
from orderflow_workflow_runtime.ports import Engine
from orderflow_workflow_runtime.starting import start_once
from orders import workflow_names as names


@dataclass(frozen=True)
class OwnInstances:
    """The instances of one workflow, each for an order, a batch or an item."""

    workflow: str
    prefix: str
    former_prefix: str

    def id_of(self, subject: str) -> str:
        """Return the id of the instance for a subject."""
        return f"{self.prefix}{subject}"

    def ids_of(self, subject: str) -> tuple[str, str]:
        """Return the id of the instance for a subject, and the one that earlier versions used."""
        return self.id_of(subject), f"{self.former_prefix}{subject}"

    def subject_of(self, instance_id: str) -> str:
        """Return the subject of an instance."""
        return instance_id.removeprefix(self.prefix).removeprefix(self.former_prefix)

    async def find(self, engine: Engine, subject: str) -> Instance | None:
        """Find the instance for a subject, under either id. Raises `EngineUnavailable`."""
        for instance_id in self.ids_of(subject):
            instance = await engine.instance(instance_id, payloads=False)
            if instance is not None and instance.name == self.workflow:
                return instance
        return None

    async def find_former(self, engine: Engine, subject: str) -> Instance | None:
        """Find an active instance of an earlier version, with its input."""
        former = await engine.instance(self.ids_of(subject)[1])
        if former is None or former.name != self.workflow or former.runtime_status.is_finished:
            return None
        return former

    async def start_once(self, engine: Engine, subject: str, payload: Any) -> bool:
        """Start the instance for a subject unless one is active; return whether it was started."""
        if await self.find_former(engine, subject) is not None:
            return False
        return await start_once(engine, self.workflow, self.id_of(subject), payload)


UNDOS: Final = OwnInstances(names.ORDER_UNDO, "undo.", "undo-of-order-")
"""The rollbacks of orders; the retries of one are its subject, a dot and a number."""
BATCHES: Final = OwnInstances(names.ORDER_BATCH, "batch.", "batch-")
MONITORS: Final = OwnInstances(names.STOCK_MONITOR, "stock-monitor.", "stock-monitor-")
