"""What the services answer and the contracts do not name: pages of a list, and dead letters."""

from typing import Any, Generic, TypeVar

from orderflow_contracts.fields import Message, Moment

Item = TypeVar("Item")


class Page(Message, Generic[Item]):
    """A part of a list, and the cursor to read on with, or null at the end."""

    items: tuple[Item, ...]
    next: str | None = None


class DeadLetter(Message):
    """An event that could not be handled; `resent_at` is null while it waits for someone."""

    id: int
    topic: str
    event_id: str
    order_id: str | None = None
    reason: str
    data: Any = None
    received_at: Moment
    resent_at: Moment | None = None
    service: str = ""

    @property
    def name(self) -> str:
        """What a person calls it, for each service counts its own: `orders:3`."""
        return f"{self.service}:{self.id}"
