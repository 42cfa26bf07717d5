"""Which process runs the platform in a folder: one at a time, known to the others."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from orderflow_tools import free_ports
from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import OFFSET
from orderflow_tools.settings import Settings
from orderflow_tools.supervision import ownership


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Be the only process that runs the platform in this folder, for the duration of the block."""
    settings.run.mkdir(parents=True, exist_ok=True)
    state = settings.run / "state.json"
    with (settings.run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlatformError(_already(settings)) from None
        me = psutil.Process()
        record = {"pid": me.pid, "created": me.create_time(), "home": str(settings.home)}
        state.write_text(json.dumps(record))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                state.unlink(missing_ok=True)


def holder(settings: Settings) -> psutil.Process | None:
    """Return the process that runs the platform in this folder, if one does.

    Its creation time distinguishes it from a later process with the same ID. If this folder is a
    copy, a process of the original folder does not count.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
        record = json.loads((settings.run / "state.json").read_text())
        process = psutil.Process(record["pid"])
        is_here = ownership.is_same(Path(record["home"]), settings.home)
        if is_here and process.create_time() == record["created"] and process.pid != os.getpid():
            return process
    return None


def check_free(settings: Settings) -> None:
    """Raise PlatformError if another process runs the platform in this folder."""
    if holder(settings):
        raise PlatformError(_already(settings))


def _already(settings: Settings) -> str:
    process = holder(settings)
    by = f" (process {process.pid})" if process else ""
    offset = free_ports.suggested_offset(settings.ports)
    moved = OFFSET if offset is None else f"{OFFSET}={offset}"
    return (
        f"Orderflow is already running in {settings.home}{by}: `make status` shows it and `make "
        f"stop` stops it. To run another one beside it, set ORDERFLOW_HOME to another folder and "
        f"{moved}."
    )
