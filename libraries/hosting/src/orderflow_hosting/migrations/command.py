"""A service's commands for its schema: `migrate` and `wait-until-migrated`."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

import structlog

from orderflow_hosting import logs
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.runner import migrate, wait_until_migrated
from orderflow_hosting.migrations.schema import Schema, UnsuitableSchema
from orderflow_hosting.setting_types import Unusable
from orderflow_hosting.settings import (
    NOT_CONFIGURED,
    DatabaseSettings,
    ServiceSettings,
    load,
    variable_of,
)
from orderflow_hosting.start_up import NotStarted

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

COMMANDS: Final = {"migrate": migrate, "wait-until-migrated": wait_until_migrated}


def run(
    arguments: Sequence[str],
    schema: Schema,
    settings: type[DatabaseSettings],
    service: type[ServiceSettings],
) -> None:
    """Run `migrate` or `wait-until-migrated`, or exit with a line that gives the reason.

    `settings` are those of the service's settings, `service`, that these commands need.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    work = COMMANDS.get(arguments[0]) if len(arguments) == 1 else None
    if work is None:
        commands = " or ".join(COMMANDS)
        sys.stderr.write(f"usage: python -m {schema.service} [{commands}]\n")
        raise SystemExit(os.EX_USAGE)
    given = load(settings, service=service)
    logs.configure(schema.service, given)
    try:
        engine = open_engine(given.database_url)
        try:
            work(engine, schema, given.start_seconds)
        finally:
            engine.dispose()
    except Unusable as error:
        _end(arguments[0], f"{variable_of(settings, error.field)}: {error}", 1)
    except NotStarted as error:
        _end(arguments[0], str(error), 1)
    except UnsuitableSchema as error:
        _end(arguments[0], str(error), NOT_CONFIGURED)


def _end(command: str, why: str, code: int) -> None:
    sys.stderr.write(f"cannot {command}: {why}\n")
    raise SystemExit(code) from None


def _interrupt(number: int, _: FrameType | None) -> None:
    """Exit at once. The database rolls back the transaction; the exit code makes a job retry."""
    os._exit(128 + number)
