"""Reads orders from a file or standard input, and reports what is wrong and on which line."""

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

MAX_REPORTED_FAULTS: Final = 10
ID: Final = r"[A-Za-z0-9_-]{1,64}"
BLANKS: Final = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Submission:
    """JSON text to publish, and its event ID.

    Text takes a tenth of the memory of the parsed value, and there may be very many.
    """

    event_id: str
    content: str

    @classmethod
    def of(cls, event_id: str, data: object) -> "Submission":
        """Create a submission from a JSON value."""
        return cls(event_id, json.dumps(data))

    @property
    def data(self) -> Any:
        """The JSON value."""
        return json.loads(self.content)

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object, as an order must be."""
        return self.content.startswith("{")

    @property
    def creates_order(self) -> bool:
        """Whether orders will record an order under the event's ID, even if only to reject it."""
        return self.is_object and re.fullmatch(ID, self.event_id) is not None


class LineNumbers:
    """Returns line numbers for increasing positions in a text, reading each character once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1

    def at(self, position: int) -> int:
        """Return the line number of a position."""
        self._line += self._text.count("\n", self._position, position)
        self._position = position
        return self._line


class Faults:
    """The first faults in a file, and the number of all."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, line: int, fault: str) -> None:
        """Record a fault."""
        self.count += 1
        if self.count <= MAX_REPORTED_FAULTS:
            self._first.append(f"line {line}, {fault}")

    def describe(self, orders: int, source: str) -> str:
        """Return a message that lists the faults."""
        messages = list(self._first)
        if self.count > len(messages):
            messages.append(f"and {self.count - len(messages)} more")
        subject = "the order is" if orders == 1 else f"some of the {orders} orders are"
        return "\n  ".join([f"{source}: {subject} not valid, so nothing was published:", *messages])


def read_text(file: str) -> tuple[str, str]:
    """Read a file, or standard input for `-`; return the text and the source's name."""
    source = "standard input" if file == "-" else file
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8"), source
    except OSError as error:
        raise OrderflowError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OrderflowError(not_utf8(source, error)) from error


def not_utf8(source: str, error: UnicodeDecodeError) -> str:
    """Return a message that says where a text is not UTF-8, and what to do."""
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
    """Read a JSON object, a JSON array or JSON lines, and validate every order.

    An order without an `order_id` gets one; within a batch it is always `<batch_id>-<n>`.
    `checked` is called with the text position of each validated order. Raises `OrderflowError`,
    naming the line and field of each fault.
    """
    submissions: list[Submission] = []
    faults = Faults()
    lines_of_ids: dict[str, int] = {}
    for start, line, value in _values(text, source):
        number = len(submissions) + 1
        event_id, data = _with_id(value, f"{batch_id}-{number}" if batch_id else None)
        found = list(_faults(data))
        is_known, earlier = event_id in lines_of_ids, lines_of_ids.setdefault(event_id, line)
        if is_known and not found:
            found = [f"order_id: {event_id} is already used on line {earlier}"]
        for fault in found:
            faults.add(line, fault)
        submissions.append(Submission.of(event_id, data))
        checked(start)
    if faults.count:
        raise OrderflowError(faults.describe(len(submissions), source))
    if not submissions:
        raise OrderflowError(f"{source} contains no orders")
    return submissions


def read_unchecked(text: str, source: str) -> list[Submission]:
    """Read without validation: JSON values one by one, or else the whole text as one string."""
    try:
        return [Submission.of(_event_id(data), data) for _, _, data in _values(text, source)]
    except OrderflowError:
        return [Submission.of(uuid.uuid4().hex, text)]


def _with_id(data: object, own_id: str | None) -> tuple[str, object]:
    event_id = _event_id(data, own_id)
    if isinstance(data, dict) and data.get("order_id") is None:
        data = {**data, "order_id": event_id}
    return event_id, data


def _event_id(data: object, own_id: str | None = None) -> str:
    """Use the order's ID as the event ID, so that publishing again repeats the same event."""
    order_id = data.get("order_id") if isinstance(data, dict) else None
    return order_id if isinstance(order_id, str) and order_id else own_id or uuid.uuid4().hex


def _values(text: str, source: str) -> Iterator[tuple[int, int, Any]]:
    """Yield each JSON value of an array or a sequence, with its position and line number."""
    text = text.removeprefix("\ufeff")
    lines = LineNumbers(text)
    decoder = json.JSONDecoder(parse_constant=reject_constant)
    try:
        start = _skip(text, 0, BLANKS)
        separators = BLANKS
        if text.startswith("[", start):
            json.loads(text)  # rejects an incomplete array before its items are read one by one
            separators = BLANKS + ","
            start = _skip(text, start + 1, separators)
        while start < len(text) and not (separators != BLANKS and text[start] == "]"):
            value, end = decoder.raw_decode(text, start)
            yield start, lines.at(start), value
            start = _skip(text, end, separators)
    except json.JSONDecodeError as error:
        raise OrderflowError(
            f"{source} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
            "; nothing was published"
        ) from None
    except (RecursionError, ValueError) as error:
        raise OrderflowError(
            f"{source} is not valid JSON: {error}; nothing was published"
        ) from None


def reject_constant(name: str) -> None:
    """Reject NaN and the infinities, which Python accepts although they are not JSON."""
    raise ValueError(f"{name} is not a JSON number")


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
        parents = {place[:length] for place in places for length in range(len(place))}
        for detail in details:
            if detail["loc"] in parents:
                continue  # pydantic also reports a list as empty if its only item is wrong
            yield f"{_field(detail, is_short=is_short)}: {detail['msg']}"


def _field(detail: ErrorDetails, *, is_short: bool) -> str:
    place = detail["loc"]
    if is_short and place[:2] == ("lines", 0):
        place = place[2:]
    return ".".join(map(str, place)) or "order"
