"""Numbers as people type them, accepted only if they are unambiguous."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_DIGITS: Final = re.compile(r"[0-9]{1,40}")
_DECIMAL: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,20})?")

IN_DIGITS: Final = "a whole number in plain digits, without commas, points, signs or spaces"


def read_whole_number(text: str) -> int | None:
    """Read a number written in the digits 0 to 9; return None for any other text.

    Separators are refused, because "1,500" and "1.500" are different numbers in different
    countries. Spaces around the number are allowed.
    """
    plain = text.strip()
    return int(plain) if _DIGITS.fullmatch(plain) else None


def _only_digits(value: object) -> object:
    """Keep pydantic from reading texts such as "1_000", "+5" and "5.0" as numbers."""
    if not isinstance(value, str):
        return value
    number = read_whole_number(value)
    if number is None:
        raise PydanticCustomError("whole_number", "must be {form}", {"form": IN_DIGITS})
    return number


def _only_decimal(value: object) -> object:
    if isinstance(value, str) and not _DECIMAL.fullmatch(value.strip()):
        raise PydanticCustomError("decimal", "must be a number in plain digits, such as 2 or 0.5")
    return value


TypedNumber = Annotated[int, BeforeValidator(_only_digits)]
"""A whole number that arrives as text: in a query, a path or a form."""

TypedDecimal = Annotated[float, BeforeValidator(_only_decimal)]
"""A decimal that arrives as text, with a point before the fraction."""
