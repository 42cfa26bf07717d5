"""Reads what can be read of an order that is not valid as a whole. Pure."""

from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from orderflow_contracts.fields import Name
from orderflow_contracts.orders import ANONYMOUS, OrderLine

UNKNOWN: Final = "unknown"
"""The customer of an invalid order that does not name one."""

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
_LINE: Final = TypeAdapter(OrderLine)
_MOST_LINES: Final = 100

Value = TypeVar("Value")


def readable_customer(data: object) -> str:
    """Return the customer in the data, or a stand-in."""
    given = data.get("customer_id") if isinstance(data, dict) else None
    stand_in = ANONYMOUS if given is None and _is_short(data) else UNKNOWN
    return _read(_NAME, given) or stand_in


def readable_lines(data: object) -> tuple[OrderLine, ...]:
    """Return the valid lines in the data; of several with the same item, the first."""
    if not isinstance(data, dict):
        return ()
    lines = [data] if _is_short(data) else data.get("lines")
    if not isinstance(lines, list):
        return ()
    found: dict[str, OrderLine] = {}
    for line in (_read(_LINE, each) for each in lines[:_MOST_LINES]):
        if line is not None:
            found.setdefault(line.item, line)
    return tuple(found.values())


def _is_short(data: object) -> bool:
    return isinstance(data, dict) and "lines" not in data and "item" in data


def _read(what: TypeAdapter[Value], value: Any) -> Value | None:
    try:
        return what.validate_python(value)
    except ValidationError:
        return None
