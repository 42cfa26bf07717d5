"""Reports workflows that the engine cannot load, so that they hide nothing else."""

from collections.abc import Awaitable

from orderflow_contracts.doctor import DAMAGED_HISTORY
from orderflow_hosting.doctor import Disagreement
from orderflow_workflow_runtime.ports import InstanceDamaged


async def or_damaged(
    about: str, examination: Awaitable[Disagreement | None]
) -> Disagreement | None:
    """Return what an examination finds, or that the engine cannot load the workflow it is about."""
    try:
        return await examination
    except InstanceDamaged as error:
        what = f"the engine cannot load its workflow: {error}"
        return Disagreement(DAMAGED_HISTORY, about, what)
