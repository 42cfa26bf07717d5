"""Responses of the services that are not part of the contracts: pages and dead letters."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field

from orderflow_contracts.dead_letters import Outcome
from orderflow_contracts.fields import Message, Moment

Item = TypeVar("Item")
State = Literal["waiting", "resent", "discarded"]


class Page(Message, Generic[Item]):
    """A page of a list, and the cursor of the next page, or null at the end."""

    items: tuple[Item, ...]
    next: str | None = None


class DeadLetter(Message):
    """An event that could not be handled, without its payload."""

    id: int
    topic: str
    event_id: str
    source: str | None = None
    order_id: str | None = None
    reason: str
    attempts: int = 1
    received_at: Moment
    resent_at: Moment | None = None
    resent_as: str | None = None
    discarded_at: Moment | None = None
    discard_reason: str | None = None
    service: str = ""

    @property
    def name(self) -> str:
        """Its name, such as `orders:3`: numbers are unique only within a service."""
        return f"{self.service}:{self.id}"

    @property
    def state(self) -> State:
        """What has become of it."""
        if self.discarded_at is not None:
            return "discarded"
        return "waiting" if self.resent_at is None else "resent"


class DeadLetterWithData(DeadLetter):
    """An event that could not be handled; `data` is null if it is not text.

    `outcome` is null if the event was not resent, or if the service does not say.
    """

    data: str | None = None
    data_base64: str = ""
    attributes: Mapping[str, Any] = Field(default_factory=dict)
    outcome: Outcome | None = None


class ParkedEvent(Message):
    """An event that failed, and that its service tries again."""

    id: int
    topic: str
    event_id: str
    error: str
    attempts: int
    parked_at: Moment
    next_attempt_at: Moment
    service: str = ""


class Outbox(Message):
    """How many messages of a service wait to be published, and since when."""

    messages: int
    oldest_at: Moment | None = None
    age_seconds: float
    service: str = ""


class Resent(Message):
    """The id under which an event was published again."""

    event_id: str
