"""Lists that are read page by page with a cursor."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from orderflow_contracts.numbers import TypedNumber
from orderflow_hosting.problems import FieldError, Problem

Item = TypeVar("Item")

Limit = Annotated[TypedNumber, Query(ge=1, le=500, description="How many at most")]
After = Annotated[str | None, Query(description="The cursor `next` of the previous page")]


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and the cursor for `after=` to continue, or null at the end."""

    items: list[Item]
    next: str | None = None


def encode_cursor(position: str) -> str:
    """Encode a position in a list as a cursor."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Decode the position in a cursor; raise `INVALID_INPUT` if it is not valid."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise not_a_cursor() from None


def read_number(text: str) -> int | None:
    """Read a number of at most 18 digits; None for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def decode_number(cursor: str) -> int:
    """Decode the number in a cursor; raise `INVALID_INPUT` if it is not valid."""
    number = read_number(decode_cursor(cursor))
    if number is None:
        raise not_a_cursor()
    return number


def number_after(cursor: str | None) -> int | None:
    """Decode the number to continue after; None at the beginning of a list."""
    return None if cursor is None else decode_number(cursor)


def numbered_page(found: Sequence[tuple[int, Item]], limit: int) -> Page[Item]:
    """Make a page of numbered items; one more in `found` shows that another page follows."""
    more = encode_cursor(str(found[limit - 1][0])) if len(found) > limit else None
    return Page(items=[item for _, item in found[:limit]], next=more)


def not_a_cursor() -> Problem:
    """Return the problem for a cursor that this list did not issue."""
    error = FieldError(field="after", message="is not a cursor of this list")
    return Problem(422, "INVALID_INPUT", f"after: {error.message}", [error])
