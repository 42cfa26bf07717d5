"""Migrates a file in processes that die: at the first statement, then at the second, and so on.

`python -m fakes.dying_migration URL SERVICE` writes how many died, once one has completed. It ends
with an error if a process that died has left the file with another schema than before.
"""

import os
import signal
import sqlite3
import sys
import tempfile

from sqlalchemy import event

from fakes.catalogue import catalogue
from fakes.migrated_services import schema_of
from fakes.schemas import migrated
from orderflow_hosting.engines import open_engine
from orderflow_hosting.migrations.runner import migrate


def described(url: str) -> list[str]:
    """Return a description of a file's schema."""
    engine = open_engine(url)
    with engine.connect() as connection:
        found = catalogue(connection)
    engine.dispose()
    return found


def migrate_until(statement: int, url: str, service: str) -> bool:
    """Migrate in a process that is killed at the statement with this number, if it gets there."""
    child = os.fork()
    if child == 0:
        _migrate_and_die(statement, url, service)
    _, status = os.waitpid(child, 0)
    if status not in (0, signal.SIGKILL):
        raise RuntimeError(f"the migration failed: {status}")
    return status == 0


def _migrate_and_die(left: int, url: str, service: str) -> None:
    engine = open_engine(url)

    def count(statement: str) -> None:
        nonlocal left
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(engine, "connect")
    def _trace(connection: sqlite3.Connection, _: object) -> None:
        connection.set_trace_callback(count)

    migrate(engine, schema_of(service))
    os._exit(0)


def main(url: str, service: str) -> None:
    """Let one process after the other die, until one completes."""
    with tempfile.TemporaryDirectory() as folder:
        migrated(f"sqlite:///{folder}/any.db", schema_of(service))  # no process imports that again
    before, deaths = described(url), 0
    while not migrate_until(deaths, url, service):
        if described(url) != before:
            raise RuntimeError(f"a process that died at statement {deaths} left traces")
        deaths += 1
    sys.stdout.write(f"{deaths}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
