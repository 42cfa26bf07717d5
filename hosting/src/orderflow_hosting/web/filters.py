"""How values read on a page. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

NOTHING: Final = "—"
"""What stands where there is no value yet."""

SECONDS_A_MINUTE: Final = 60
SECONDS_AN_HOUR: Final = 3600


def dollars(cents: int | None) -> str:
    """Write cents as dollars, such as `$1,234.50`; a dash where there is no sum yet."""
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
    """Write how long something took or takes, in its two largest units."""
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
    """Write a code such as `out_of_stock` in words."""
    return str(code).replace("_", " ").replace("-", " ").lower() if code is not None else NOTHING


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "dollars": dollars,
    "moment": moment,
    "duration": duration,
    "words": words,
}
