"""A container engine of the project's own, where the machine has none: Debian's docker.io.

Its sockets, its log and its images are in the user's cache folder, and nothing else of the machine
is touched: no bridge, no rules of a firewall. Containers use the network of the machine. It runs
while somebody uses it, whichever checkout they come from: see `engine_keeper`.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orderflow_tools.console import say
from orderflow_tools.engine_api import answers
from orderflow_tools.engine_keeper import KEEPER_LOCK, USERS_LOCK, taken
from orderflow_tools.errors import PlatformError
from orderflow_tools.gobuild import cache_folder

PACKAGE: Final = "docker.io"
START_SECONDS: Final = 60
STOP_SECONDS: Final = 60
POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program, if there is one, whether a package may start its service."""


def is_root_on_debian() -> bool:
    """Tell whether Debian's packages can be installed here."""
    return sys.platform == "linux" and os.getuid() == 0 and shutil.which("apt-get") is not None


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


def install(*packages: str) -> None:
    """Install packages of Debian without what they recommend, and start none of their services."""
    say(f"Installing Debian's {', '.join(packages)} (apt-get, without what they recommend).")
    command = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
    with _no_service_starts():
        for further in (["update"], ["install", "--no-install-recommends", *packages]):
            outcome = subprocess.run(
                [*command, *further],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
    if outcome.returncode:
        raise PlatformError(
            f"apt-get could not install {', '.join(packages)}:\n{outcome.stderr[-2000:]}"
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if POLICY.exists():
        yield  # whoever put it there has decided
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


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
            [sys.executable, "-m", "orderflow_tools.engine_keeper", folder],
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
