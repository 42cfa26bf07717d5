"""Builds attention: retries of failed compensations, and their edges."""

from dataclasses import dataclass

from orders import workflow_names
from orders.attention.activities import AttentionActivities
from orders.attention.api import attention_router
from orders.attention.service import Attention
from orders.attention.store import AttentionStore
from orders.ordering.build import Ordering
from orders.parts import Base, Part, named


@dataclass(frozen=True, kw_only=True)
class AttentionPart(Part):
    """The part, and what the pages and the doctor use of it."""

    attention: Attention
    store: AttentionStore


def build(base: Base, ordering: Ordering) -> AttentionPart:
    """Wire attention."""
    store = AttentionStore(base.database, base.clock)
    attention = Attention(store, base.engine, ordering.undo, base.background)
    return AttentionPart(
        attention=attention,
        store=store,
        activities=named(AttentionActivities(attention), workflow_names.ATTENTION_ACTIVITIES),
        routers=(attention_router(attention, ordering.store),),
    )
