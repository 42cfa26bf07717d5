"""Dead letters: events that a service could not handle, as its API shows them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orderflow_contracts.fields import Moment


class DeadLetter(BaseModel):
    """An event that could not be handled. `resent_at` is null until it is resent."""

    model_config = ConfigDict(populate_by_name=True)

    id: int
    topic: str
    event_id: str
    subject: str | None = Field(alias="order_id")
    reason: str
    data: Any
    received_at: Moment
    resent_at: Moment | None
