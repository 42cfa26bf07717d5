"""Builds batches: their store, activities and edges."""

from dataclasses import dataclass

from orders import workflow_names
from orders.batches.activities import BatchActivities
from orders.batches.api import batch_router, subscribe_to_batches
from orders.batches.service import Batches
from orders.batches.store import BatchStore
from orders.ordering.build import Ordering
from orders.parts import Base, Part, named


@dataclass(frozen=True, kw_only=True)
class BatchPart(Part):
    """The part, and what management and the pages use of it."""

    batches: Batches
    store: BatchStore


def build(base: Base, ordering: Ordering) -> BatchPart:
    """Wire batches."""
    store = BatchStore(base.database, base.clock)
    batches = Batches(
        *(base.settings, store, base.engine, ordering.feed),
        *(ordering.undo, base.dead_letters, base.background),
        new_runs=ordering.new_runs,
    )
    subscribe_to_batches(base.topics, batches)
    return BatchPart(
        batches=batches,
        store=store,
        activities=named(BatchActivities(batches), workflow_names.BATCH_ACTIVITIES),
        routers=(batch_router(store),),
    )
