"""Cursors of lists that are sorted by time and order."""

from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from orderflow_contracts.fields import Moment, OrderId
from orderflow_hosting.pages import decode_cursor, encode_cursor, not_a_cursor

_ORDER_ID: Final[TypeAdapter[str]] = TypeAdapter(OrderId)
_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


def cursor_of(at: datetime, order_id: str) -> str:
    """Encode a position as a cursor."""
    return encode_cursor(f"{at.isoformat()} {order_id}")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Decode a cursor; raise `INVALID_INPUT` if it is not valid for such a list."""
    at, _, order_id = decode_cursor(cursor).partition(" ")
    try:
        return _MOMENT.validate_python(at), _ORDER_ID.validate_python(order_id)
    except ValidationError:
        raise not_a_cursor() from None
