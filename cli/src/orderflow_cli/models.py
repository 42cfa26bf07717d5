"""Responses of the services that are not part of the contracts: pages and dead letters."""

from typing import Any, Generic, TypeVar

from orderflow_contracts.fields import Message, Moment

Item = TypeVar("Item")


class Page(Message, Generic[Item]):
    """A page of a list, and the cursor of the next page, or null at the end."""

    items: tuple[Item, ...]
    next: str | None = None


class DeadLetter(Message):
    """An event that could not be handled; `resent_at` is null until it is resent."""

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
        """Its name, such as `orders:3`: numbers are unique only within a service."""
        return f"{self.service}:{self.id}"
