"""How an order that needs attention stands: what is left undone, and what was tried since."""

from orderflow_contracts.fields import Message, Moment, OrderId


class OrderAttention(Message):
    """What is known beside an order that ended as `needs_attention`; its status stays for ever.

    `not_undone` names the steps that could not be undone when last tried, and is null where that
    is known no more. `retrying_since` is null unless it is being tried, and `settled_at` until
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
