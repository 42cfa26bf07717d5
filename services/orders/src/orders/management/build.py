"""Builds the management of workflows, and the step of a demonstration workflow."""

from dataclasses import dataclass
from functools import partial

from orders import workflow_names
from orders.batches.service import Batches
from orders.management.activities import HelloActivities
from orders.management.api import workflow_router
from orders.management.index import InstanceIndex, keep_writing
from orders.management.retention import keep_freeing_ids
from orders.management.saved_histories_api import saved_history_router
from orders.management.service import Management
from orders.management.sweeping import Sweep
from orders.ordering.build import Ordering
from orders.parts import Base, Part, named


@dataclass(frozen=True, kw_only=True)
class ManagementPart(Part):
    """The part, the service that the pages use, and the index, which observes the worker."""

    management: Management
    index: InstanceIndex


def build(base: Base, ordering: Ordering, batches: Batches) -> ManagementPart:
    """Wire the management of workflows."""
    index = InstanceIndex(base.database, base.clock)
    management = Management(
        *(base.engine, ordering.store, ordering.undo, batches),
        index=index,
        clock=base.clock,
        counter_pause_seconds=base.settings.counter_pause_seconds,
    )
    hello = HelloActivities(part_seconds=base.settings.hello_step_seconds)
    return ManagementPart(
        management=management,
        index=index,
        activities=named(hello, workflow_names.HELLO_ACTIVITIES),
        routers=(workflow_router(management), saved_history_router(ordering.histories)),
        jobs=(
            partial(keep_freeing_ids, management),
            partial(keep_writing, index),
            Sweep(base.engine, index, base.clock).keep_sweeping,
        ),
    )
