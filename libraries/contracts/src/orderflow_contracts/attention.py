"""An order that needs attention: which compensations are left, and what was retried since."""

from orderflow_contracts.fields import Message, Moment, OrderId


class OrderAttention(Message):
    """What is recorded besides an order that ended as `needs_attention`; its status never changes.

    `not_undone` names the steps that could not be undone when last tried, and is null where that
    is no longer known. `retrying_since` is null unless it is being tried, and `settled_at` until
    everything is undone.
    """

    order_id: OrderId
    not_undone: tuple[str, ...] | None = None
    retries: int = 0
    retried_by: str | None = None
    retrying_since: Moment | None = None
    failed_at: Moment | None = None
    settled_at: Moment | None = None
    settled_by: str | None = None
