"""Formats values for pages."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from orderflow_hosting.events import NotJson, read_json

NOTHING: Final = "—"
"""Shown in place of a missing value."""

SECONDS_A_MINUTE: Final = 60
SECONDS_AN_HOUR: Final = 3600
LONGEST_PRETTY: Final = 20_000
LONGEST_BEGINNING: Final = 200

_INVISIBLE: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def dollars(cents: int | None) -> str:
    """Write cents as dollars, such as `$1,234.50`; a dash for None."""
    if cents is None:
        return NOTHING
    sign = "-" if cents < 0 else ""
    whole, part = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{part:02d}"


def moment(at: datetime | None) -> Markup | str:
    """Write a point in time in UTC; the browser's script shows it in local time."""
    if at is None:
        return NOTHING
    exact = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        exact.isoformat().replace("+00:00", "Z"), exact.strftime("%Y-%m-%d %H:%M:%S UTC")
    )


def duration(seconds: float | None) -> str:
    """Write a length of time in its two largest units."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < SECONDS_A_MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < SECONDS_AN_HOUR:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 24 * SECONDS_AN_HOUR:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def words(code: object) -> str:
    """Write a code such as `not_found` in words."""
    return str(code).replace("_", " ").replace("-", " ").lower() if code is not None else NOTHING


def pretty(value: Any) -> str:
    """Format a JSON value over several lines, cut off if it is long; see `plain`."""
    return plain(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def payload(text: str) -> str:
    """Format a text that someone sent, over several lines if it is JSON; see `plain`."""
    try:
        return pretty(read_json(text))
    except NotJson:
        return plain(text)


def plain(written: str) -> str:
    """Cut off a text if it is long; see `visible`."""
    if len(written) > LONGEST_PRETTY:
        left = len(written) - LONGEST_PRETTY
        written = f"{written[:LONGEST_PRETTY]}\n… {left:,} characters more"
    return visible(written)


def visible(text: str) -> str:
    """Write invisible characters, and those that reverse the direction of text, as JSON escapes."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def beginning(text: str) -> str:
    """Cut a text that someone sent to a line or two; see `visible`."""
    shown = visible(" ".join(text[: 2 * LONGEST_BEGINNING].split()))
    return f"{shown[:LONGEST_BEGINNING]}…" if len(shown) > LONGEST_BEGINNING else shown


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "dollars": dollars,
    "moment": moment,
    "duration": duration,
    "words": words,
    "pretty": pretty,
    "payload": payload,
    "beginning": beginning,
}
