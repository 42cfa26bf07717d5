"""The names of the brokers, and which of them the data of a run was written with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orderflow_tools.errors import PlatformError

VARIABLE: Final = "ORDERFLOW_BROKER"
REDIS: Final = "redis"
RABBITMQ: Final = "rabbitmq"
KAFKA: Final = "kafka"
BROKERS: Final = (REDIS, RABBITMQ, KAFKA)


def chosen(environment: Mapping[str, str]) -> str:
    """Return the broker that the environment names, or else Redis."""
    name = environment.get(VARIABLE) or REDIS
    if name not in BROKERS:
        raise PlatformError(f"{VARIABLE} must be one of {', '.join(BROKERS)}, not {name!r}.")
    return name


def record(name: str, data: Path) -> None:
    """Record that this data belongs to a broker.

    Raises PlatformError if it belongs to another one, which may hold events that nobody has
    handled.
    """
    former = recorded(data) or name
    if former != name:
        raise PlatformError(
            f"The data in {data} was written with BROKER={former}, which may still hold events. "
            f"Run with BROKER={former}, remove the data with `make reset`, or set ORDERFLOW_HOME "
            "to another folder."
        )
    _file(data).write_text(f"{name}\n")


def recorded(data: Path) -> str | None:
    """Return the broker that the data belongs to; None if there is no data."""
    try:
        return _file(data).read_text().strip() or None
    except OSError:
        # Data from before there was a choice.
        return REDIS if (data / "broker").exists() else None


def _file(data: Path) -> Path:
    return data / "broker-name"
