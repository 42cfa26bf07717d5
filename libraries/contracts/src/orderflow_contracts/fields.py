"""Field types and the base model that all messages share."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError


class Message(BaseModel):
    """A frozen message. Unknown fields are ignored, so that senders can add fields first."""

    model_config = ConfigDict(frozen=True, extra="ignore")


_BEGINS_WITH_A_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\D")


def _no_bare_number(value: object) -> object:
    """Refuse a bare number, which could be seconds or milliseconds since any epoch."""
    if isinstance(value, datetime) or (
        isinstance(value, str) and _BEGINS_WITH_A_DATE.match(value.strip())
    ):
        return value
    raise PydanticCustomError("moment", "must be a time such as 2026-01-31T12:00:00Z")


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range in UTC") from None


PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

OrderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""1 to 64 letters, digits, `-` and `_`: a valid workflow instance id, too."""

_ORDER_ID: Final = TypeAdapter(OrderId)


def readable_order_id(data: object) -> str | None:
    """Return the order id in the data, even if the rest is invalid; None without a valid id."""
    try:
        return _ORDER_ID.validate_python(data.get("order_id") if isinstance(data, dict) else None)
    except ValidationError:
        return None


Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=PRINTABLE)]
"""A customer, an item or an approver: printable, 1 to 128 characters."""

Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
"""What a person wrote, up to 2,000 characters; without NUL, which PostgreSQL cannot store."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
"""A number of units, 1 to 1,000,000."""

Cents = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
"""An amount of money in cents of US dollars, at most what a 64-bit column can hold."""

Moment = Annotated[AwareDatetime, BeforeValidator(_no_bare_number), AfterValidator(_to_utc)]
"""A point in time; written as RFC 3339 in UTC."""


Clock = Callable[[], datetime]
"""Returns the current time in UTC. Time-dependent code takes one, so that tests can set it."""


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
