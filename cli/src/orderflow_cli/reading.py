"""Reading orders that a person wrote down, and saying what is wrong with them and where."""

import json
import re
import sys
import uuid
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Submission:
    """What is to be published, under which id, and the line on which it began."""

    event_id: str
    data: Any
    line: int

    @property
    def makes_an_order(self) -> bool:
        """Whether orders will know an order by the event's id, be it only to reject it."""
        return isinstance(self.data, dict) and re.fullmatch(ID, self.event_id) is not None


def read_text(file: str) -> tuple[str, str]:
    """Read a file, or standard input for `-`; return the text, and what to call its source."""
    source = "standard input" if file == "-" else file
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8"), source
    except OSError as error:
        raise OrderflowError(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OrderflowError(f"{source} is no UTF-8 text: {error.reason}") from error


def read_orders(text: str, source: str, batch_id: str | None = None) -> list[Submission]:
    """Read one JSON object, a JSON array or JSON lines, and check every order.

    An order without an `order_id` gets one; within a batch `<batch_id>-<n>`, the same each time.
    Raises `OrderflowError` that tells line and field of
    what is wrong.
    """
    submissions: list[Submission] = []
    faults: list[str] = []
    lines_of_ids: dict[str, int] = {}
    for line, data in _values(text, source):
        number = len(submissions) + 1
        submission = _identified(line, data, f"{batch_id}-{number}" if batch_id else None)
        found = list(_faults(submission.data))
        earlier = lines_of_ids.setdefault(submission.event_id, line)
        if earlier != line and not found:
            found = [f"order_id: {submission.event_id} stands on line {earlier} already"]
        faults.extend(f"line {line}, {fault}" for fault in found)
        submissions.append(submission)
    if faults:
        raise OrderflowError(_tell(faults, len(submissions), source))
    if not submissions:
        raise OrderflowError(f"{source} holds no order")
    return submissions


def read_unchecked(text: str, source: str) -> list[Submission]:
    """Read whatever is there: JSON values as such, and what is no JSON as one text."""
    try:
        return [Submission(_event_id(data), data, line) for line, data in _values(text, source)]
    except OrderflowError:
        return [Submission(uuid.uuid4().hex, text, 1)]


def _identified(line: int, data: object, own_id: str | None) -> Submission:
    event_id = _event_id(data, own_id)
    if isinstance(data, dict) and data.get("order_id") is None:
        data = {**data, "order_id": event_id}
    return Submission(event_id, data, line)


def _event_id(data: object, own_id: str | None = None) -> str:
    """Take the order's id for its event's, so that a second publication is the same event."""
    order_id = data.get("order_id") if isinstance(data, dict) else None
    return order_id if isinstance(order_id, str) and order_id else own_id or uuid.uuid4().hex


def _values(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield each JSON value with its line: those of an array, or those that stand in a row."""
    text = text.removeprefix("\ufeff")
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
            yield text.count("\n", 0, start) + 1, value
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
        for detail in details:
            if any(_is_inside(place, detail["loc"]) for place in places):
                continue  # a list is called empty when its only item is wrong: that is told
            yield f"{_field(detail, is_short=is_short)}: {detail['msg']}"


def _is_inside(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _field(detail: ErrorDetails, *, is_short: bool) -> str:
    place = detail["loc"]
    if is_short and place[:2] == ("lines", 0):
        place = place[2:]
    return ".".join(map(str, place)) or "order"


def _tell(faults: list[str], count: int, source: str) -> str:
    told = faults[:MOST_FAULTS_TOLD]
    if len(faults) > len(told):
        told.append(f"and {len(faults) - len(told)} more")
    of = "the order is" if count == 1 else f"of {count} orders some are"
    return "\n  ".join([f"{source}: {of} not valid, nothing was published:", *told])
