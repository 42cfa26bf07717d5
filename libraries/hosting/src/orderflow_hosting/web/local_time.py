"""Parses the times of search forms, which are typed as pages show them: in the reader's zone."""

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 9000

_TIME: Final = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<minute>\d\d:\d\d)(?P<second>:\d\d(?:\.(?P<fraction>\d{1,6}))?)?)?"
    r"(?: ?(?P<offset>UTC|Z|[+-]\d\d:\d\d))?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([+-])([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9_+/-]{1,64}", re.ASCII)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Span:
    """All points in time that a text can mean: from `start` until before `end`. Both in UTC."""

    start: datetime
    end: datetime


def read_zone(name: str) -> tzinfo:
    """Find a time zone by its IANA name or offset; an empty name is UTC. Raises `ValueError`."""
    if name in {"", "UTC", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-ahead if offset[1] == "-" else ahead)
    if not _ZONE.fullmatch(name):
        raise ValueError("not the name of a time zone")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a folder of zones is an OSError
        raise ValueError(f"there is no time zone {name}") from error


@dataclass(frozen=True)
class Period:
    """A period from `since` to just before `before`; None means no limit. Both in UTC."""

    since: datetime | None = None
    before: datetime | None = None

    @property
    def last(self) -> datetime | None:
        """The last second of the period."""
        return self.before - _SECOND if self.before is not None else None


def read_period(
    typed: MutableMapping[str, str], wrong: MutableMapping[str, str], like: str
) -> Period:
    """Read the fields `since` and `until`, both inclusive, in the time zone `zone`.

    What is wrong with a field is added to `wrong`; `like` is the message with the expected form.
    A zone without a time is cleared, so that links leave it out.
    """
    if not typed["since"] and not typed["until"]:
        typed["zone"] = ""
    spans: dict[str, Span] = {}
    for name in ("since", "until"):
        if not typed[name]:
            continue
        try:
            zone = read_zone(typed["zone"])
        except ValueError:
            wrong[name] = "The time zone is not known. Choose the time again."
            continue
        try:
            spans[name] = read_span(typed[name], zone)
        except OverflowError:
            wrong[name] = "Choose an earlier time."
        except ValueError:
            wrong[name] = like
    since, until = spans.get("since"), spans.get("until")
    return Period(since.start if since else None, until.end if until else None)


def read_span(text: str, zone: tzinfo) -> Span:
    """Read a day, a minute or a second in a time zone.

    An hour that occurs twice, because clocks are set back, is read as both; one that is skipped is
    read as the moment of the change. Raises `ValueError`, and `OverflowError` if too far ahead.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time")
    wall = datetime.fromisoformat(f"{found['day']}T{found['minute'] or '00:00'}")
    if found["second"]:
        wall = datetime.combine(wall, time.fromisoformat(found["minute"] + found["second"]))
    if wall.year < FIRST_YEAR:
        raise ValueError("too early")
    if wall.year > LAST_YEAR:
        raise OverflowError("too late")
    if found["offset"]:
        zone = read_zone(found["offset"].replace("UTC", ""))
    return Span(_first(wall, zone), _last(wall + _unit(found), zone))


def _unit(found: re.Match[str]) -> timedelta:
    if found["fraction"]:
        return timedelta(microseconds=10 ** (6 - len(found["fraction"])))
    if found["second"]:
        return _SECOND
    return timedelta(minutes=1) if found["minute"] else timedelta(days=1)


def _first(wall: datetime, zone: tzinfo) -> datetime:
    """Find when clocks first showed this time or a later one."""
    return _both(wall, zone)[0]


def _last(wall: datetime, zone: tzinfo) -> datetime:
    """Find when clocks showed this time or a later one, and never again an earlier one."""
    first, last = _both(wall, zone)
    return last if _shown(last - _SECOND, zone) < wall else first


def _both(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Find the first and the last moment at which clocks showed this; usually the same."""
    times = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    earlier, later = min(times), max(times)
    if _shown(later, zone) == wall:
        return earlier, later
    # Clocks were set forward past it: find when, to the second.
    while later - earlier > _SECOND:
        middle = earlier + timedelta(seconds=(later - earlier) // _SECOND // 2)
        if _shown(middle, zone) < wall:
            earlier = middle
        else:
            later = middle
    return later, later


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
