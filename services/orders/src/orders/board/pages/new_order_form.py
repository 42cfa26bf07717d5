"""The form of a new order: the text as it was typed, and the order or the errors in it."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import ValidationError

from orderflow_contracts.numbers import read_whole_number
from orderflow_contracts.orders import OrderSubmitted

FIRST_LINES: Final = 3
MORE_LINES: Final = 3
MAX_LINES: Final = 100

_A_NAME: Final = "1 to 128 printable characters."
_MESSAGES: Final = {
    "order_id": "1 to 64 letters, digits, “-” and “_”.",
    "customer_id": _A_NAME,
    "item": _A_NAME,
    "quantity": (
        "Type a whole number from 1 to 1000000 in plain digits, without comma, point or space."
    ),
    "lines": "Name at least one item, and each one once.",
}
_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class TypedLine:
    """One line as it was typed."""

    item: str = ""
    quantity: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed."""
        return not (self.item or self.quantity)


@dataclass(frozen=True)
class OrderForm:
    """A form as it was typed. `key` becomes the order's id if none was typed.

    The key is generated with the form, so a form that is submitted twice places one order.
    `further` has the fields beyond id, customer and lines.
    """

    key: str
    order_id: str = ""
    customer_id: str = ""
    lines: Sequence[TypedLine] = (TypedLine(),) * FIRST_LINES
    further: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    def with_more_lines(self) -> "OrderForm":
        """Add empty lines."""
        room = min(MORE_LINES, MAX_LINES - len(self.lines))
        lines = (*self.lines, *[TypedLine()] * room)
        return replace(self, lines=lines, errors={})

    def with_errors(self, errors: Mapping[str, str]) -> "OrderForm":
        """Return the form with errors, by field."""
        return replace(self, errors=errors)

    def read(self) -> "OrderSubmitted | OrderForm":
        """Return the order, or the form with its errors."""
        given = [(place, line) for place, line in enumerate(self.lines) if not line.is_blank]
        data = {
            "order_id": self.order_id or self.key,
            "customer_id": self.customer_id,
            **{name: value for name, value in self.further.items() if value},
            "lines": [{"item": line.item, "quantity": _number(line)} for _, line in given],
        }
        try:
            return OrderSubmitted.model_validate(data)
        except ValidationError as error:
            places = [place for place, _ in given]
            return self.with_errors(
                dict(_field_error(problem["loc"], places) for problem in error.errors())
            )


def new_form() -> OrderForm:
    """Return an empty form."""
    return OrderForm(key=uuid.uuid4().hex)


def read_form(fields: Mapping[str, Sequence[str]]) -> OrderForm:
    """Parse a submitted form."""

    def first(name: str) -> str:
        return next(iter(fields.get(name, ())), "").strip()

    items, quantities = fields.get("item", ()), fields.get("quantity", ())
    count = min(max(len(items), len(quantities), 1), MAX_LINES)
    lines = tuple(TypedLine(_at(items, place), _at(quantities, place)) for place in range(count))
    key = first("key")
    return OrderForm(
        key=key if _ORDER_ID.fullmatch(key) else new_form().key,
        order_id=first("order_id"),
        customer_id=first("customer_id"),
        lines=lines,
        further={name: first(name) for name in OrderSubmitted.further_fields()},
    )


def _at(values: Sequence[str], place: int) -> str:
    return values[place].strip() if place < len(values) else ""


def _number(line: TypedLine) -> int | str:
    number = read_whole_number(line.quantity)
    return line.quantity if number is None else number


def _field_error(place: tuple[int | str, ...], lines: Sequence[int]) -> tuple[str, str]:
    """Return the field that an error is about, and what that field accepts."""
    if place[0] == "lines" and len(place) > 2 and isinstance(place[1], int):  # noqa: PLR2004
        return f"{place[2]}-{lines[place[1]]}", _MESSAGES[str(place[2])]
    name = str(place[0]) if place else "lines"
    return name, _MESSAGES.get(name, "This is not valid.")
