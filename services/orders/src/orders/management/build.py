"""Builds the management of workflows, and the step of a demonstration workflow."""

from dataclasses import dataclass
from functools import partial

from orders import workflow_names
from orders.batches.service import Batches
from orders.management.activities import HelloActivities
from orders.management.api import workflow_router
from orders.management.retention import keep_freeing_ids
from orders.management.service import Management
from orders.ordering.build import Ordering
from orders.parts import Base, Part, named


@dataclass(frozen=True, kw_only=True)
class ManagementPart(Part):
    """The part, and the service that the pages use."""

    management: Management


def build(base: Base, ordering: Ordering, batches: Batches) -> ManagementPart:
    """Wire the management of workflows."""
    management = Management(
        *(base.engine, ordering.store, ordering.undo, batches),
        clock=base.clock,
        counter_pause_seconds=base.settings.counter_pause_seconds,
    )
    hello = HelloActivities(part_seconds=base.settings.hello_step_seconds)
    return ManagementPart(
        management=management,
        activities=named(hello, workflow_names.HELLO_ACTIVITIES),
        routers=(workflow_router(management),),
        jobs=(partial(keep_freeing_ids, management),),
    )
