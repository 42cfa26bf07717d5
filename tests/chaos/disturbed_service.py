"""A service with its unchanged code, whose clock can be moved and whose database be made read-only.

python tests/chaos/disturbed_service.py HOME NAME

The file `NAME.clock` in the folder of the run holds the seconds that the clock is wrong by; while
`NAME.read-only` exists, the database refuses writes.
"""

import contextlib
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from orderflow_contracts import fields

HOME, NAME = Path(sys.argv[1]), sys.argv[2]


def moved(now: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return a clock that is wrong by the seconds in a file, if there is one."""
    file = HOME / f"{NAME}.clock"

    def wrong() -> datetime:
        seconds = 0.0
        with contextlib.suppress(OSError, ValueError):
            seconds = float(file.read_text())
        return now() + timedelta(seconds=seconds)

    return wrong


def refuse_writes(connection: Connection) -> None:
    """Let the database refuse the writes of a transaction while there is a file."""
    refuses = (HOME / f"{NAME}.read-only").exists()
    connection.exec_driver_sql(f"PRAGMA query_only = {int(refuses)}")


if __name__ == "__main__":
    # Before any other module of the service imports the clock.
    vars(fields)["now"] = moved(fields.now)
    event.listen(Engine, "begin", refuse_writes)
    from orderflow_hosting.launch import launch

    sys.argv = [NAME]
    launch(NAME)
