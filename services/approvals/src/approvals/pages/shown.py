"""What a browser shows of the inbox already: what ends there stays in sight for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, QueryParams

from orderflow_contracts.fields import OrderId

MOST: Final = 100
IN_SIGHT_SECONDS: Final = 600
"""How long an outcome stays in sight after it was first shown."""

_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)


@dataclass(frozen=True)
class Shown:
    """The orders that a page shows as waiting, and as settled with the second since when."""

    waiting: Sequence[str] = ()
    settled: Sequence[tuple[str, int]] = ()

    @classmethod
    def told_by(cls, fields: QueryParams | FormData) -> Self:
        """Read what a page says that it shows; what makes no sense is left out."""
        waiting = [text for text in fields.getlist("shown")[:MOST] if isinstance(text, str)]
        settled = [text for text in fields.getlist("settled")[:MOST] if isinstance(text, str)]
        return cls(
            [order_id for order_id in waiting if is_order_id(order_id)],
            [entry for entry in map(_settled, settled) if entry is not None],
        )

    def kept(self, now: datetime) -> list[str]:
        """Tell which orders stay in sight, though they may have settled."""
        recent = now.timestamp() - IN_SIGHT_SECONDS
        settled = (order_id for order_id, since in self.settled if since > recent)
        return list(dict.fromkeys([*self.waiting, *settled]))[:MOST]

    def since(self, order_id: str, now: datetime) -> int:
        """Tell since when an order is shown as settled: since now, if it was not before."""
        return dict(self.settled).get(order_id, int(now.timestamp()))


def is_order_id(text: str) -> bool:
    """Tell whether this can be the id of an order."""
    try:
        _ORDER_ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _settled(text: str) -> tuple[str, int] | None:
    order_id, _, since = text.partition(".")
    if is_order_id(order_id) and since.isascii() and since.isdigit() and len(since) <= 12:  # noqa: PLR2004 # a second of the next ages
        return order_id, int(since)
    return None
