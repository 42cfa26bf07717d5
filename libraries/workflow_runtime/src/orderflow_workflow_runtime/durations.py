"""Durations as people write them: `720h`, `1h30m`, `7d`."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?[dhms])+")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")
LONGEST: Final = timedelta(days=36500)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `720h`, `1h30m` or `7d`; raise `ValueError` for anything else."""
    if len(text) > 40 or not _DURATION.fullmatch(text):  # noqa: PLR2004 # no duration is longer
        raise ValueError("is not a duration such as 720h, 30m or 7d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST.total_seconds():
        raise ValueError("is longer than a hundred years")
    return timedelta(seconds=seconds)
