"""Parsing times in the formats in which pages show them."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow_hosting.web.local_time import Span, read_span, read_zone

ZONES: Final = sorted(available_timezones() - {"localtime", "Factory"})
FORMATS: Final = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
DAY: Final = timedelta(days=1)

instants = st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
zones = st.sampled_from(ZONES)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(instants, zones, st.sampled_from(FORMATS))
def test_a_shown_time_parses_to_a_span_that_includes_the_original(
    at: datetime, zone: str, form: str
) -> None:
    """This holds in every zone, and when clocks change."""
    shown = at.astimezone(ZoneInfo(zone)).strftime(form)

    span = read_span(shown, read_zone(zone))

    assert span.start <= at < span.end
    assert span.end - span.start <= 3 * DAY


@given(instants, zones, instants)
def test_the_ends_of_a_span_show_the_same_text(at: datetime, zone: str, other: datetime) -> None:
    """Times just outside the span show a different text."""
    where = ZoneInfo(zone)
    day = at.astimezone(where).date()
    span = read_span(day.isoformat(), where)

    for inside in (span.start, span.end - timedelta(seconds=1)):
        assert inside.astimezone(where).date() == day
    for outside in (span.start - timedelta(seconds=1), span.end):
        assert outside.astimezone(where).date() != day
    assert (other.astimezone(where).date() != day) or (span.start <= other < span.end)


@pytest.mark.parametrize(
    ("text", "zone", "start", "end"),
    [
        ("2026-07-01T12:00", "Asia/Kolkata", "2026-07-01 06:30", "2026-07-01 06:31"),
        ("2026-07-01T12:00", "Asia/Calcutta", "2026-07-01 06:30", "2026-07-01 06:31"),
        ("2026-07-01", "Asia/Kolkata", "2026-06-30 18:30", "2026-07-01 18:30"),
        ("2026-07-01T12:00:05", "", "2026-07-01 12:00:05", "2026-07-01 12:00:06"),
        ("2026-07-01 12:00:05 UTC", "Asia/Tokyo", "2026-07-01 12:00:05", "2026-07-01 12:00:06"),
        ("2026-07-01T12:00+05:30", "Asia/Tokyo", "2026-07-01 06:30", "2026-07-01 06:31"),
        ("2026-07-01T12:00", "-03:30", "2026-07-01 15:30", "2026-07-01 15:31"),
        # Clocks are set back: the hour occurs twice.
        ("2026-10-25T02:30", "Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:31"),
        ("2026-10-25", "Europe/Berlin", "2026-10-24 22:00", "2026-10-25 23:00"),
        # Clocks are set forward: there is no such hour, but the moment when it was left out.
        ("2026-03-29T02:30", "Europe/Berlin", "2026-03-29 01:00", "2026-03-29 01:00"),
        # Midnight itself occurs twice, or not at all.
        ("2026-11-01", "America/Havana", "2026-11-01 04:00", "2026-11-02 05:00"),
        ("2026-10-31", "America/Havana", "2026-10-31 04:00", "2026-11-01 04:00"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04 03:00", "2018-11-05 02:00"),
        ("2010-11-06", "America/St_Johns", "2010-11-06 02:30", "2010-11-07 03:30"),
    ],
)
def test_a_time_is_parsed_in_its_time_zone(text: str, zone: str, start: str, end: str) -> None:
    """It may be a day, a minute or a second; its own UTC offset overrides the zone."""
    assert read_span(text, read_zone(zone)) == Span(utc(start), utc(end))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "2026-02-30T10:00",
        "2026-07-01T25:00",
        "2026-07-01T12:00:60",
        "٢٠٢٦-07-01",
        "2026-07-01T12:00+99:00",
        "0001-01-01",
        "2026-07-01\n",
    ],
)
def test_an_invalid_time_is_refused(text: str) -> None:
    """Only calendar times are parsed."""
    with pytest.raises(ValueError, match=r"."):
        read_span(text, UTC)


def test_a_time_near_the_calendars_limits_is_refused() -> None:
    """Later date arithmetic must not overflow."""
    with pytest.raises(OverflowError):
        read_span("9999-12-31", UTC)


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc/localtime", "x" * 999, "a\0b", "Ü"]
)
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    """Whatever a browser or a URL sends, only a known zone is accepted."""
    with pytest.raises(ValueError, match="zone"):
        read_zone(name)
