"""An order that needs attention: which steps are still to be undone, and what was retried."""

from orderflow_contracts.fields import Message, Moment, OrderId


class OrderAttention(Message):
    """The retries for an order that ended as `needs_attention`; its status never changes.

    `not_undone` names the steps that the last attempt could not undo, and is null if that is no
    longer known. `retrying_since` is null unless a retry is running, and `settled_at` is null
    until everything is undone.
    """

    order_id: OrderId
    not_undone: tuple[str, ...] | None = None
    retries: int = 0
    retried_by: str | None = None
    retrying_since: Moment | None = None
    failed_at: Moment | None = None
    settled_at: Moment | None = None
    settled_by: str | None = None
