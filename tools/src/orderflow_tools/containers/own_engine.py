"""A container engine of the project's own, where the machine has none: Debian's docker.io.

Its sockets, its log and its images are in the user's cache folder, and nothing else of the machine
is touched: no bridge, no rules of a firewall. Containers use the network of the machine. It runs
while somebody uses it, whichever checkout they come from: see `engine_keeper`.
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

from orderflow_tools.console import say
from orderflow_tools.containers.own_engine_process import KEEPER_LOCK, USERS_LOCK, taken
from orderflow_tools.containers.sockets import answers
from orderflow_tools.debian import install
from orderflow_tools.errors import PlatformError
from orderflow_tools.toolchain.go_build import cache_folder

PACKAGE: Final = "docker.io"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 60


@contextmanager
def own_engine() -> Iterator[str]:
    """Give the place at which the project's own engine answers, as long as the block lasts."""
    if not shutil.which("dockerd"):
        install(PACKAGE)
    folder = cache_folder() / "engine"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS_LOCK).open("a") as users:
        with _alone(folder):
            fcntl.flock(users, fcntl.LOCK_SH)  # waits for an engine that is being stopped
            host = _running(folder) or _started(folder)
        try:
            yield host
        finally:
            with _alone(folder):
                _leave(users.fileno(), folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Begin or end using the engine one after the other."""
    with (folder / "turn.lock").open("a") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _running(folder: Path) -> str | None:
    return answers([_host(folder)])


def _started(folder: Path) -> str:
    """Start the engine under its keeper, and wait until it answers."""
    say(f"Starting a container engine of the project's own in {folder}; it stops after use.")
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
        if not _is_kept(folder) or time.monotonic() > until:
            # A keeper that still lives ends by itself when this process gives up its lock.
            raise PlatformError(
                f"dockerd does not start ({log}):\n{log.read_text()[-1500:]}\n"
                "It needs a kernel and a container that let root mount and make cgroups."
            )
        time.sleep(0.1)
    return host


def _is_kept(folder: Path) -> bool:
    """Tell whether the engine's keeper lives."""
    with (folder / KEEPER_LOCK).open("a") as keeper:
        return not taken(keeper.fileno(), fcntl.LOCK_EX)


def _leave(users: int, folder: Path) -> None:
    """Stop using the engine; if nobody else does, wait until its keeper has stopped it."""
    fcntl.flock(users, fcntl.LOCK_UN)
    if _others_use_it(users):
        return
    with (folder / KEEPER_LOCK).open("a") as keeper:
        fcntl.flock(keeper, fcntl.LOCK_EX)


def _others_use_it(users: int) -> bool:
    """Tell whether somebody has a part of the lock: not nobody, and not the keeper all of it."""
    if taken(users, fcntl.LOCK_EX):
        fcntl.flock(users, fcntl.LOCK_UN)
        return False
    shared = taken(users, fcntl.LOCK_SH)
    fcntl.flock(users, fcntl.LOCK_UN)
    return shared


def _host(folder: Path) -> str:
    return f"unix://{folder / 'docker.sock'}"
