"""The project's own container engine, for machines without one: Debian's docker.io.

Its sockets, log and images are in the user's cache folder. It creates no bridge and no firewall
rules, so containers use the machine's network. All checkouts share it, and it runs for as long as
a process uses it: see `own_engine_process`.
"""

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orderflow_tools.console import print_line
from orderflow_tools.containers.own_engine_process import ENGINE_LOCK, USERS_LOCK, taken
from orderflow_tools.containers.sockets import answers
from orderflow_tools.debian import install
from orderflow_tools.errors import PlatformError
from orderflow_tools.toolchain.cache import cache_folder

PACKAGE: Final = "docker.io"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 60


@contextmanager
def own_engine() -> Iterator[str]:
    """Provide the address of the project's own engine for the duration of the block."""
    if not shutil.which("dockerd"):
        install(PACKAGE)
    folder = cache_folder() / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS_LOCK).open("a") as users:
        with _turn(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for an engine that is being stopped
            host = _running(folder) or _started(folder)
        try:
            yield host
        finally:
            with _turn(folder):
                _leave(users.fileno(), folder)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Let only one process at a time start or stop using the engine."""
    with (folder / "turn.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _running(folder: Path) -> str | None:
    return answers([_host(folder)])


def _started(folder: Path) -> str:
    """Start the process that runs the engine, and wait until the engine answers."""
    print_line(f"Starting the project's own container engine in {folder}; it stops after use.")
    log = folder / "dockerd.log"
    with log.open("w") as output:
        subprocess.run(
            [sys.executable, "-m", "orderflow_tools.containers.own_engine_process", folder],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    until = time.monotonic() + START_SECONDS
    while not (host := _running(folder)):
        if not _is_alive(folder) or time.monotonic() > until:
            # A process that still runs ends by itself when this one releases its lock.
            raise PlatformError(
                f"dockerd does not start ({log}):\n{log.read_text()[-1500:]}\n"
                "It needs the right to mount file systems and to create cgroups."
            )
        time.sleep(0.1)
    return host


def _is_alive(folder: Path) -> bool:
    """Return whether the process that runs the engine is alive."""
    with (folder / ENGINE_LOCK).open("a") as lock:
        return not taken(lock.fileno(), fcntl.LOCK_EX)


def _leave(users: int, folder: Path) -> None:
    """Stop using the engine; if no other process uses it, wait until it has stopped."""
    fcntl.flock(users, fcntl.LOCK_UN)
    if _others_use_it(users):
        return
    with (folder / ENGINE_LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def _others_use_it(users: int) -> bool:
    """Return whether another process holds the lock shared; the engine's holds it exclusively."""
    if taken(users, fcntl.LOCK_EX):
        fcntl.flock(users, fcntl.LOCK_UN)
        return False
    shared = taken(users, fcntl.LOCK_SH)
    fcntl.flock(users, fcntl.LOCK_UN)
    return shared


def _host(folder: Path) -> str:
    return f"unix://{folder / 'docker.sock'}"
