"""RabbitMQ on loopback: one node that neither knows nor admits others."""

import json
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orderflow_tools.brokers.manifests import deployed, deployed_spec
from orderflow_tools.brokers.names import RABBITMQ
from orderflow_tools.brokers.server import Process
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.private_files import write_private
from orderflow_tools.settings import Settings

PACKAGE: Final = "rabbitmq-server"
DEBIAN_PROGRAM: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program itself; the one on Debian's PATH switches to a user and a folder of the system."""
USER: Final = "orderflow"
PROTOCOL: Final = b"AMQP\x00\x00\x09\x01"


class RabbitMq:
    """A RabbitMQ node, with its data, log and password in the folder of the run.

    Erlang asks a name server, epmd, whether the node's name is free. Left alone, it starts one that
    listens on all interfaces and stays; this run has its own.
    """

    name = "broker"
    # Dapr's component then subscribes to all topics at once, on one channel of AMQP, and mixes up
    # the replies. A consumer that it believes to have failed keeps receiving events, which nobody
    # handles until the sidecar restarts.
    is_resumed = False

    def __init__(self, settings: Settings) -> None:
        self.port = settings.ports.control.event_broker
        self._names_port = settings.ports.control.event_broker_peer
        self._root = settings.root
        self._data = settings.data / RABBITMQ

    def find(self) -> str:
        """Return the path of the program; install Debian's package if that is possible."""
        if _program() is None and is_root_on_debian():
            install(PACKAGE)
        return str(_found())

    def processes(self) -> Mapping[str, Process]:
        """Write the configuration, and return epmd and the node."""
        configuration = self._data / "rabbitmq.conf"
        definitions = self._data / "definitions.json"
        write_private(definitions, json.dumps(self._definitions()))
        write_private(configuration, self._configuration(definitions))
        names = {"ERL_EPMD_PORT": str(self._names_port), "ERL_EPMD_ADDRESS": LOOPBACK}
        node = {
            "HOME": str(self._data),  # for the Erlang cookie
            "RABBITMQ_NODENAME": "orderflow@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._data / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._data),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._data / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self._data / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._data / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._data / "pid"),
            # The node does not listen for other nodes. RabbitMQ insists on a port for that all the
            # same: on one that is free when it starts, and that erl_epmd can tell it.
            "RABBITMQ_DIST_PORT": str(self.port),
            "ERL_CRASH_DUMP": str(self._data / "erl_crash.dump"),
            "ERL_AFLAGS": f"-start_epmd false -dist_listen false -erl_epmd_port {self.port}",
            # The script becomes the node, rather than its parent, which could die without it.
            "RABBITMQ_ALLOW_INPUT": "true",
        }
        return {
            "epmd": Process([_epmd(), "-port", str(self._names_port), "-address", LOOPBACK]),
            self.name: Process([_found(), "-noinput"], {**names, **node}),
        }

    def is_serving(self) -> bool:
        """Return whether the node answers with the start of AMQP."""
        try:
            with socket.create_connection((LOOPBACK, self.port), 1) as connection:
                connection.sendall(PROTOCOL)
                return connection.recv(1) == b"\x01"  # a method: `connection.start`
        except OSError:
            return False

    def component(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the component with the settings of Kubernetes and the address of this node."""
        address = f"amqp://{USER}:{self._password()}@{LOOPBACK}:{self.port}"
        spec = deployed_spec(self._root, RABBITMQ, {"connectionString": address})
        return {**document, "spec": spec}

    def _configuration(self, definitions: Path) -> str:
        return "\n".join(
            (
                "# Written at each start.",
                f"listeners.tcp.local = {LOOPBACK}:{self.port}",
                f"load_definitions = {definitions}",
                f"loopback_users.{USER} = true",
                "log.console = true",
                "",
            )
        )

    def _definitions(self) -> dict[str, Any]:
        """Return the queues of the subscriptions, and the only user."""
        shared = json.loads(deployed(self._root, RABBITMQ, "definitions.json"))
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        return {
            **shared,
            "users": [{"name": USER, "password": self._password(), "tags": ""}],
            "permissions": [{"user": USER, "vhost": "/", **everything}],
        }

    def _password(self) -> str:
        """Return the password of this data folder; make one for a new folder."""
        path = self._data / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()


def _program() -> Path | None:
    if DEBIAN_PROGRAM.exists():
        return DEBIAN_PROGRAM
    found = shutil.which(PACKAGE)
    return Path(found) if found else None


def _found() -> Path:
    if program := _program():
        return program
    raise PlatformError(
        f"There is no {PACKAGE} on this machine. Install RabbitMQ (in Debian and its derivatives "
        f"the package {PACKAGE}), or run with BROKER=redis."
    )


def _epmd() -> Path:
    if found := shutil.which("epmd"):
        return Path(found)
    raise PlatformError("Erlang's epmd is not on the PATH: RabbitMQ's installation is incomplete.")
