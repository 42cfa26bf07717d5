"""A platform between whose processes a test can interfere."""

import contextlib
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.links import Link, State, free_port
from orderflow_tools.platform import Platform
from orderflow_tools.settings import APPS, Settings

DATA_SIZE = "4g"
"""The size of the file system for data; only what is used of it takes memory."""


class DisturbedSettings(Settings):
    """Settings of a run whose services are started by a program of the test."""

    @property
    def python(self) -> str:
        """A program that stands for Python, and starts the disturbed services."""
        return str(self.home / "disturbed-python")


@dataclass
class Network:
    """The links between each service and its sidecar, in both directions."""

    grpc: dict[str, int] = field(default_factory=dict)
    http: dict[str, int] = field(default_factory=dict)
    _links: dict[str, list[Link]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.grpc = {app: free_port() for app in APPS}
        self.http = {app: free_port() for app in APPS}

    def start(self, settings: Settings) -> None:
        """Begin to pass connections on."""
        for app, ports in settings.ports.apps.items():
            service = int(settings.environment[f"{app.upper()}_GRPC_PORT"])
            self._links[app] = [
                Link(self.grpc[app], ports.dapr_grpc),
                Link(self.http[app], ports.dapr_http),
                Link(ports.grpc, service),
            ]

    def set(self, app: str, state: State) -> None:
        """Change the state of the links of a service."""
        for link in self._links[app]:
            link.set(state)


class DisturbedPlatform(Platform):
    """A platform whose services reach their sidecars through links, and are reached so."""

    def __init__(self, settings: Settings, network: Network) -> None:
        super().__init__(settings)
        self.network = network

    def _start_apps(self, runtime: Any) -> None:
        # Only now: the ports must be free when the platform starts.
        self.network.start(self.settings)
        super()._start_apps(runtime)


def disturbed_platform(home: Path, **environment: str) -> DisturbedPlatform:
    """Return a platform in a folder, with these variables of its services."""
    own_ports = {f"{app.upper()}_GRPC_PORT": str(free_port()) for app in APPS}
    made = Settings.isolated(home, **environment, **own_ports)
    settings = DisturbedSettings(
        root=made.root, home=made.home, ports=made.ports, environment=made.environment
    )
    network = Network()
    program = Path(settings.python)
    program.write_text(_program(made, network))
    program.chmod(0o755)
    return DisturbedPlatform(settings, network)


def _program(settings: Settings, network: Network) -> str:
    """Return a script that starts services disturbed, and all other programs as they are."""
    python = shlex.quote(settings.python)
    service = shlex.join(
        [str(Path(__file__).with_name("disturbed_service.py")), str(settings.home)]
    )
    cases = "".join(
        f'"{app} ") DAPR_GRPC_PORT={network.grpc[app]} DAPR_HTTP_PORT={network.http[app]}'
        f" exec {python} {service} {app} ;;\n"
        for app in APPS
    )
    return f'#!/bin/sh\ncase "$2 $3" in\n{cases}esac\nexec {python} "$@"\n'


@contextlib.contextmanager
def own_file_system(folder: Path) -> Iterator[bool]:
    """Give a folder a file system of its own, which can be full; yield whether that is possible."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        yield False
        return
    size = f"size={DATA_SIZE}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "chaos", folder], check=True)
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
