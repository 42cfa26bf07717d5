"""The types of settings, and how their values are written in environment variables."""

import json
import re
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final, get_origin
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, TypeAdapter, ValidationError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from orderflow_hosting.hosts import HIGHEST_PORT, Host

HOUR_SECONDS: Final = 3600
LONGEST_SECONDS: Final = 366 * 24 * HOUR_SECONDS
DRIVERS: Final = frozenset(
    {"sqlite", "sqlite+pysqlite", "postgres", "postgresql", "postgresql+psycopg"}
)

_UNITS: Final = (
    (0.001, "ms millisecond milliseconds"),
    (1, "s sec secs second seconds"),
    (60, "m min mins minute minutes"),
    (HOUR_SECONDS, "h hr hrs hour hours"),
    (24 * HOUR_SECONDS, "d day days"),
    (7 * 24 * HOUR_SECONDS, "w week weeks"),
)
_SECONDS_OF: Final = MappingProxyType(
    {word: seconds for seconds, words in _UNITS for word in words.split()}
)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)[\s,]*", re.ASCII)
_BRACKETED: Final = re.compile(r"\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\]")
"""An IPv6 address as it stands before a port: a list that begins with one is not JSON."""
_TIMEDELTA: Final = TypeAdapter(timedelta)


class Unusable(Exception):
    """A setting names something that cannot be used on this machine, at least not now."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def decoded(value: Any, annotation: Any) -> Any:
    """Parse the text of a list, with commas or as JSON, or of a mapping, as JSON.

    Any other text is returned without surrounding spaces. Raises `ValueError`.
    """
    if not isinstance(value, str) or annotation is SecretStr:
        return value
    kind, text = get_origin(annotation), value.strip()
    if kind not in (tuple, dict):
        return text
    is_json = text.startswith(("[", "{")) and not _BRACKETED.match(text)
    if kind is tuple and not is_json:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        read = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"is not valid JSON: {error}") from None
    if not isinstance(read, list if kind is tuple else dict):
        form = 'a list such as a,b or ["a", "b"]' if kind is tuple else "a JSON object"
        raise ValueError(f"must be {form}")  # noqa: TRY004 # the error that pydantic handles
    return read


def _in_units_of(unit: float, value: Any) -> Any:
    """Read a length of time and return it in the given unit, which a bare number already has."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    try:
        return float(text)
    except ValueError:
        return _seconds(text) / unit


def _seconds(text: str) -> float:
    parts = _PART.findall(text)
    if parts and not _PART.sub("", text) and all(unit in _SECONDS_OF for _, unit in parts):
        return float(sum(float(number) * _SECONDS_OF[unit] for number, unit in parts))
    try:
        return _TIMEDELTA.validate_python(text.upper()).total_seconds()  # ISO 8601, and 01:30:00
    except ValidationError:
        raise ValueError('must be a length of time, such as 90, "90s", "24h" or "1 day"') from None


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
        is_usable = url.drivername in DRIVERS and _is_understood(url)
    except (ArgumentError, ValueError, psycopg.ProgrammingError):
        is_usable = False
    if not is_usable:
        raise ValueError(  # without the value, which may contain a password
            "must be a URL such as sqlite:////var/lib/service.db or "
            "postgresql+psycopg://user:password@host/database"
        )
    return text


def _is_understood(url: URL) -> bool:
    """Return whether the port is valid; raises the driver's error for an unknown option."""
    is_sqlite = url.get_backend_name() == "sqlite"
    dialect = url if is_sqlite else url.set(drivername="postgresql+psycopg")
    _, options = dialect.get_dialect()().create_connect_args(url)
    if not is_sqlite:
        make_conninfo(**options)
    return url.port is None or 0 < url.port <= HIGHEST_PORT


def _without_brackets(text: str) -> str:
    if text.count(":") == 1:
        raise ValueError("must be a host alone, without a port")
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _public_host(value: Any) -> Any:
    return str(Host.read(value)) if isinstance(value, str) else value


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not text.isprintable() or " " in text:
        raise ValueError("must be a URL such as http://127.0.0.1:8001")
    return text


Seconds = Annotated[
    float,
    BeforeValidator(partial(_in_units_of, 1)),
    Field(le=LONGEST_SECONDS, allow_inf_nan=False),
]
"""A length of time in seconds: a number, or text such as `90s`, `1h30m`, `1 day`, or ISO 8601."""

Hours = Annotated[
    float, BeforeValidator(partial(_in_units_of, HOUR_SECONDS)), Field(allow_inf_nan=False)
]
"""A length of time in hours: a number, or text with a unit."""

Port = Annotated[int, Field(ge=1, le=HIGHEST_PORT)]
Address = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_:.%\[\]-]{1,253}$"), AfterValidator(_without_brackets)
]
"""A name or an address to listen on or to connect to; IPv6 with or without its brackets."""

PublicHost = Annotated[str, BeforeValidator(_public_host)]
"""A host, with or without a port, by which browsers reach the service; written as they do."""

DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
