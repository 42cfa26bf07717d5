"""Which requests a browser's inbox displays: those that end stay visible for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, QueryParams

from orderflow_contracts.fields import OrderId

MAX_DISPLAYED: Final = 100
DISPLAY_SECONDS: Final = 600
"""How long an outcome stays visible after it was first displayed."""

_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)


@dataclass(frozen=True)
class DisplayedRequests:
    """The orders that a page displays: pending ones, and settled ones with their Unix times.

    The time of a settled order is when the page first displayed it as settled.
    """

    pending: Sequence[str] = ()
    settled: Sequence[tuple[str, int]] = ()

    @classmethod
    def from_fields(cls, fields: QueryParams | FormData) -> Self:
        """Read the fields that a page sends about itself; invalid entries are ignored."""
        pending = [
            text for text in fields.getlist("shown")[:MAX_DISPLAYED] if isinstance(text, str)
        ]
        settled = [
            text for text in fields.getlist("settled")[:MAX_DISPLAYED] if isinstance(text, str)
        ]
        return cls(
            [order_id for order_id in pending if is_order_id(order_id)],
            [entry for entry in map(_settled, settled) if entry is not None],
        )

    def still_displayed(self, now: datetime) -> list[str]:
        """Return the orders that stay visible even if they have ended."""
        recent = now.timestamp() - DISPLAY_SECONDS
        settled = (order_id for order_id, since in self.settled if since > recent)
        return list(dict.fromkeys([*self.pending, *settled]))[:MAX_DISPLAYED]

    def since(self, order_id: str, now: datetime) -> int:
        """Return when an order was first displayed as settled, as a Unix time; now if it is new."""
        return dict(self.settled).get(order_id, int(now.timestamp()))


def is_order_id(text: str) -> bool:
    """Return whether a text is a valid order ID."""
    try:
        _ORDER_ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _settled(text: str) -> tuple[str, int] | None:
    order_id, _, since = text.partition(".")
    if is_order_id(order_id) and since.isascii() and since.isdigit() and len(since) <= 12:  # noqa: PLR2004 # seconds, for the next 30,000 years
        return order_id, int(since)
    return None
