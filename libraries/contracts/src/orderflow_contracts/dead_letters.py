"""Events that a service could not handle, as its API shows them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orderflow_contracts.fields import Moment


class DeadLetter(BaseModel):
    """An event that could not be handled, without its payload.

    `event_id` is the CloudEvent's id or, without one, a digest of the event. `resent_at` and
    `discarded_at` are null while it waits for someone; `resent_as` is the id that it was resent
    under.
    """

    model_config = ConfigDict(populate_by_name=True)

    id: int
    topic: str
    event_id: str
    source: str | None = None
    subject: str | None = Field(alias="order_id")
    reason: str
    attempts: int
    received_at: Moment
    resent_at: Moment | None = None
    resent_as: str | None = None
    discarded_at: Moment | None = None
    discard_reason: str | None = None


class Outcome(BaseModel):
    """What became of an event that was resent, as far as the service's own records show.

    `recorded`: what the event is about is recorded; `kind` says what it is, such as an order, and
    `status` is its status now. `parked`: the event failed, and will be tried again. `dead_letter`:
    it could not be handled, and is the dead letter with this number. `unknown`: nothing of it is
    recorded yet.
    """

    state: Literal["recorded", "parked", "dead_letter", "unknown"]
    kind: str | None = None
    id: str | None = None
    status: str | None = None
    dead_letter: int | None = None


class DeadLetterWithData(DeadLetter):
    """An event that could not be handled, with what was sent.

    `data` is the event's data if it is text, and `data_base64` the same always. `attributes` are
    the CloudEvent's, as they lay in the broker; bare data has none. `outcome` is null if the event
    was not resent.
    """

    data: str | None
    data_base64: str
    attributes: dict[str, Any]
    outcome: Outcome | None = None


class ParkedEvent(BaseModel):
    """An event that failed, and that the service will try again."""

    id: int
    topic: str
    event_id: str
    error: str
    attempts: int
    parked_at: Moment
    next_attempt_at: Moment
