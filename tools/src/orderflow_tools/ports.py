"""The TCP ports of one run: which there are, how they are moved, and whether they are free."""

import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

import psutil

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number
from orderflow_tools.errors import PlatformError

LOOPBACK: Final = "127.0.0.1"
HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, kw_only=True)
class AppPorts:
    """The ports of one service and its sidecar."""

    http: int
    grpc: int
    dapr_http: int
    dapr_grpc: int
    dapr_internal_grpc: int
    dapr_metrics: int


@dataclass(frozen=True, kw_only=True)
class ControlPorts:
    """The ports of what serves all sidecars. Each moves by ORDERFLOW_<NAME>_PORT."""

    broker: int = 16379
    placement: int = 50005
    placement_health: int = 3801
    placement_metrics: int = 3802
    placement_raft: int = 3803
    scheduler: int = 50006
    scheduler_health: int = 3811
    scheduler_metrics: int = 3812
    scheduler_etcd_client: int = 2379  # where the Dapr CLI looks for it when it purges
    scheduler_etcd_peer: int = 3813


def default_app_ports() -> dict[str, AppPorts]:
    """Return the ports that the contract fixes, and this run's own for what it leaves open."""
    return {
        app: AppPorts(
            http=ports.http,
            grpc=ports.grpc,
            dapr_http=ports.dapr_http,
            dapr_grpc=ports.dapr_grpc,
            dapr_internal_grpc=ports.dapr_http + 100,
            dapr_metrics=ports.dapr_http + 200,
        )
        for app, ports in LOCAL_PORTS.items()
    }


@dataclass(frozen=True)
class Ports:
    """All ports of one run."""

    control: ControlPorts
    apps: Mapping[str, AppPorts]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the default ports, moved by ORDERFLOW_PORT_OFFSET or singly by their variables."""
        return cls._made(default_app_ports(), environment)

    @classmethod
    def free_block(cls) -> Self:
        """Return ports that were all free just now; see `free_ports`."""
        count = len(fields(ControlPorts)) + len(LOCAL_PORTS) * len(fields(AppPorts))
        ports = iter(free_ports(count))
        return cls(
            control=ControlPorts(**{field.name: next(ports) for field in fields(ControlPorts)}),
            apps={
                app: AppPorts(**{field.name: next(ports) for field in fields(AppPorts)})
                for app in LOCAL_PORTS
            },
        )

    @classmethod
    def _made(cls, defaults: Mapping[str, AppPorts], environment: Mapping[str, str]) -> Self:
        offset = _number(environment, "ORDERFLOW_PORT_OFFSET", 0)

        def read(variable: str, default: int) -> int:
            return _number(environment, variable, default + offset)

        control = {
            field.name: read(variable_of("orderflow", field.name), int(str(field.default)))
            for field in fields(ControlPorts)
        }
        apps = {
            app: AppPorts(
                **{
                    field.name: read(variable_of(app, field.name), getattr(ports, field.name))
                    for field in fields(AppPorts)
                }
            )
            for app, ports in defaults.items()
        }
        return cls(ControlPorts(**control), apps)

    def by_variable(self) -> Iterator[tuple[str, int]]:
        """Give each port with the environment variable that moves it."""
        for field in fields(ControlPorts):
            yield variable_of("orderflow", field.name), getattr(self.control, field.name)
        for app, ports in self.apps.items():
            for field in fields(AppPorts):
                yield variable_of(app, field.name), getattr(ports, field.name)

    def check(self) -> None:
        """Raise PlatformError if two ports are the same or one is in use."""
        taken: dict[int, str] = {}
        for variable, port in self.by_variable():
            if not 0 < port <= HIGHEST_PORT:
                raise PlatformError(
                    f"{variable} would be {port}, which is no port: set it or "
                    "ORDERFLOW_PORT_OFFSET to another number."
                )
            if port in taken:
                raise PlatformError(
                    f"{taken[port]} and {variable} are both {port}: give them different ports."
                )
            taken[port] = variable
        for port, variable in taken.items():
            if not is_free(port):
                raise PlatformError(in_use(port, variable))


def variable_of(owner: str, name: str) -> str:
    """Return the name of the environment variable that moves a port."""
    return f"{owner}_{name}_port".upper()


def free_ports(count: int) -> range:
    """Return so many ports that were free just now, below those that outgoing connections take."""
    while True:
        base = random.randrange(10_000, 30_000)  # noqa: S311 - no secret is made of it
        ports = range(base, base + count)
        if all(is_free(port) for port in ports):
            return ports


def is_free(port: int) -> bool:
    """Tell whether something could listen on this port of the loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def in_use(port: int, variable: str) -> str:
    """Say who uses a port, and what to do about it."""
    return (
        f"Port {port} ({variable}) is in use{_user_of(port)}. Stop that, or move this port with "
        f"{variable}=..., or all ports with ORDERFLOW_PORT_OFFSET=1000."
    )


def _user_of(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if local and local.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # another user's process: its name is not ours to know
    return ""


def _number(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable, "").strip()
    number = read_whole_number(text) if text else default
    if number is None:
        raise PlatformError(f"{variable} must be {IN_DIGITS}, and it is {text!r}.")
    return number
