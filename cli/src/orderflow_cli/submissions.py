"""Reading orders that a person wrote down, and saying what is wrong with them and where."""

import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orderflow_cli.errors import OrderflowError
from orderflow_contracts.orders import OrderSubmitted

MOST_FAULTS_TOLD: Final = 10
ID: Final = r"[A-Za-z0-9_-]{1,64}"
BLANKS: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be published, as JSON text, and under which id.

    Text takes a tenth of the memory of what it describes, and there may be very many.
    """

    event_id: str
    content: str

    @classmethod
    def of(cls, event_id: str, data: object) -> "Submission":
        """Return the submission of a JSON value."""
        return cls(event_id, json.dumps(data))

    @property
    def data(self) -> Any:
        """The JSON value."""
        return json.loads(self.content)

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object, as every order is."""
        return self.content.startswith("{")

    @property
    def makes_an_order(self) -> bool:
        """Whether orders will know an order by the event's id, be it only to reject it."""
        return self.is_object and re.fullmatch(ID, self.event_id) is not None


class LineNumbers:
    """Numbers the lines of a text for positions that only grow; each character is read once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1

    def at(self, position: int) -> int:
        """Return the number of the line on which a position is."""
        self._line += self._text.count("\n", self._position, position)
        self._position = position
        return self._line


class Faults:
    """The first faults of a file, and how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, line: int, fault: str) -> None:
        """Record a fault."""
        self.count += 1
        if self.count <= MOST_FAULTS_TOLD:
            self._first.append(f"line {line}, {fault}")

    def describe(self, orders: int, source: str) -> str:
        """Say that so many orders are not all valid, and why."""
        told = list(self._first)
        if self.count > len(told):
            told.append(f"and {self.count - len(told)} more")
        of = "the order is" if orders == 1 else f"of {orders} orders some are"
        return "\n  ".join([f"{source}: {of} not valid, nothing was published:", *told])


def read_text(file: str) -> tuple[str, str]:
    """Read a file, or standard input for `-`; return the text, and what to call its source."""
    source = "standard input" if file == "-" else file
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8"), source
    except OSError as error:
        raise OrderflowError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OrderflowError(not_utf8(source, error)) from error


def not_utf8(source: str, error: UnicodeDecodeError) -> str:
    """Say where a text is in another encoding, and what to do."""
    line = error.object.count(b"\n", 0, error.start) + 1
    byte = error.object[error.start]
    return (
        f"{source} is not UTF-8 text: line {line} has the byte 0x{byte:02x} ({error.reason}); "
        "save it as UTF-8"
    )


def read_orders(
    text: str,
    source: str,
    batch_id: str | None = None,
    *,
    checked: Callable[[int], None] = lambda _: None,
) -> list[Submission]:
    """Read one JSON object, a JSON array or JSON lines, and check every order.

    An order without an `order_id` gets one; within a batch `<batch_id>-<n>`, the same each time.
    `checked` is called with the position in the text of each order that was checked. Raises
    `OrderflowError` with the line and the field of what is wrong.
    """
    submissions: list[Submission] = []
    faults = Faults()
    lines_of_ids: dict[str, int] = {}
    for start, line, value in _values(text, source):
        number = len(submissions) + 1
        event_id, data = _identified(value, f"{batch_id}-{number}" if batch_id else None)
        found = list(_faults(data))
        is_known, earlier = event_id in lines_of_ids, lines_of_ids.setdefault(event_id, line)
        if is_known and not found:
            found = [f"order_id: {event_id} stands on line {earlier} already"]
        for fault in found:
            faults.add(line, fault)
        submissions.append(Submission.of(event_id, data))
        checked(start)
    if faults.count:
        raise OrderflowError(faults.describe(len(submissions), source))
    if not submissions:
        raise OrderflowError(f"{source} holds no order")
    return submissions


def read_unchecked(text: str, source: str) -> list[Submission]:
    """Read whatever is there: JSON values as such, and what is no JSON as one text."""
    try:
        return [Submission.of(_event_id(data), data) for _, _, data in _values(text, source)]
    except OrderflowError:
        return [Submission.of(uuid.uuid4().hex, text)]


def _identified(data: object, own_id: str | None) -> tuple[str, object]:
    event_id = _event_id(data, own_id)
    if isinstance(data, dict) and data.get("order_id") is None:
        data = {**data, "order_id": event_id}
    return event_id, data


def _event_id(data: object, own_id: str | None = None) -> str:
    """Take the order's id for its event's, so that a second publication is the same event."""
    order_id = data.get("order_id") if isinstance(data, dict) else None
    return order_id if isinstance(order_id, str) and order_id else own_id or uuid.uuid4().hex


def _values(text: str, source: str) -> Iterator[tuple[int, int, Any]]:
    """Yield each JSON value of an array, or of a row of them, with its position and its line."""
    text = text.removeprefix("\ufeff")
    lines = LineNumbers(text)
    decoder = json.JSONDecoder(parse_constant=refuse_constant)
    try:
        start = _skip(text, 0, BLANKS)
        between = BLANKS
        if text.startswith("[", start):
            json.loads(text)  # the whole must be an array; then its items can be found one by one
            between = BLANKS + ","
            start = _skip(text, start + 1, between)
        while start < len(text) and not (between != BLANKS and text[start] == "]"):
            value, end = decoder.raw_decode(text, start)
            yield start, lines.at(start), value
            start = _skip(text, end, between)
    except json.JSONDecodeError as error:
        raise OrderflowError(
            f"{source} is no JSON at line {error.lineno}, column {error.colno}: {error.msg}; "
            "nothing was published"
        ) from None
    except (RecursionError, ValueError) as error:
        raise OrderflowError(f"{source} is no JSON: {error}; nothing was published") from None


def refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python's reader takes for JSON."""
    raise ValueError(f"{name} is no number of JSON")


def _skip(text: str, start: int, what: str) -> int:
    while start < len(text) and text[start] in what:
        start += 1
    return start


def _faults(data: object) -> Iterator[str]:
    try:
        OrderSubmitted.model_validate(data)
    except ValidationError as error:
        is_short = isinstance(data, dict) and "lines" not in data
        details = error.errors(include_url=False, include_input=False)
        places = [detail["loc"] for detail in details]
        around = {place[:length] for place in places for length in range(len(place))}
        for detail in details:
            if detail["loc"] in around:
                continue  # a list is called empty when its only item is wrong: that is told
            yield f"{_field(detail, is_short=is_short)}: {detail['msg']}"


def _field(detail: ErrorDetails, *, is_short: bool) -> str:
    place = detail["loc"]
    if is_short and place[:2] == ("lines", 0):
        place = place[2:]
    return ".".join(map(str, place)) or "order"
