"""The TCP ports of one run: which there are, how they are moved, and whether they are free."""

import errno
import random
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Self

import psutil

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number
from orderflow_tools import keepers
from orderflow_tools.errors import PlatformError

LOOPBACK: Final = "127.0.0.1"
HIGHEST_PORT: Final = 65_535
OFFSET: Final = "ORDERFLOW_PORT_OFFSET"
ADVISED_OFFSETS: Final = range(2_000, HIGHEST_PORT, 50)
"""The offsets that are tried, in this order, when a free one is to be advised."""


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
    offset: int = field(default=0, compare=False)
    fixed: frozenset[str] = field(default=frozenset(), compare=False)
    """The variables that set a port singly: the offset does not move these ports."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the default ports, moved by ORDERFLOW_PORT_OFFSET or singly by their variables.

        Raises PlatformError, which names the variable, for what is not a port.
        """
        return cls._made(default_app_ports(), environment)

    @classmethod
    def free_block(cls) -> Self:
        """Return ports that were all free just now; see `free_ports`."""
        count = len(fields(ControlPorts)) + len(LOCAL_PORTS) * len(fields(AppPorts))
        ports = iter(free_ports(count))
        return cls(
            control=ControlPorts(**{item.name: next(ports) for item in fields(ControlPorts)}),
            apps={
                app: AppPorts(**{item.name: next(ports) for item in fields(AppPorts)})
                for app in LOCAL_PORTS
            },
        )

    @classmethod
    def _made(cls, defaults: Mapping[str, AppPorts], environment: Mapping[str, str]) -> Self:
        offset = _number(environment, OFFSET, 0)
        fixed = set()

        def read(variable: str, default: int) -> int:
            if environment.get(variable, "").strip():
                fixed.add(variable)
                return _port(environment, variable)
            return _moved(variable, default, offset)

        control = {
            item.name: read(variable_of("orderflow", item.name), int(str(item.default)))
            for item in fields(ControlPorts)
        }
        apps = {
            app: AppPorts(
                **{
                    item.name: read(variable_of(app, item.name), getattr(ports, item.name))
                    for item in fields(AppPorts)
                }
            )
            for app, ports in defaults.items()
        }
        return cls(ControlPorts(**control), apps, offset, frozenset(fixed))

    def by_variable(self) -> Iterator[tuple[str, int]]:
        """Give each port with the environment variable that moves it."""
        for item in fields(ControlPorts):
            yield variable_of("orderflow", item.name), getattr(self.control, item.name)
        for app, ports in self.apps.items():
            for item in fields(AppPorts):
                yield variable_of(app, item.name), getattr(ports, item.name)

    def check(self) -> None:
        """Raise PlatformError if two ports are the same or one cannot be used."""
        taken: dict[int, str] = {}
        for variable, port in self.by_variable():
            if port in taken:
                raise PlatformError(
                    f"{taken[port]} and {variable} are both {port}: give them different ports."
                )
            taken[port] = variable
        for port, variable in taken.items():
            if error := _bind_error(port):
                raise PlatformError(self._refusal(variable, port, error))

    def advised_offset(self) -> int | None:
        """Return an offset for a run beside this one and the default one; None if there is none.

        With it all ports are free now, and none is one of the default run's, running or not.
        """
        defaults = {port for _, port in Ports.from_environment({}).by_variable()}
        for offset in ADVISED_OFFSETS:
            moved = self._moved_to(offset)
            is_possible = len(set(moved)) == len(moved) and max(moved) <= HIGHEST_PORT
            if is_possible and defaults.isdisjoint(moved) and all(is_free(port) for port in moved):
                return offset
        return None

    def _moved_to(self, offset: int) -> list[int]:
        return [
            port if variable in self.fixed else port - self.offset + offset
            for variable, port in self.by_variable()
        ]

    def _refusal(self, variable: str, port: int, error: OSError) -> str:
        if error.errno == errno.EACCES:
            return f"Port {port} is for root alone: set {variable} or {OFFSET} to another number."
        offset = self.advised_offset()
        all_ports = "" if offset is None else f", or all ports with {OFFSET}={offset}"
        return (
            f"Port {port} ({variable}) is in use{_user_of(port)}. Stop that, or move this port "
            f"with {variable}=...{all_ports}."
        )


def variable_of(owner: str, name: str) -> str:
    """Return the name of the environment variable that moves a port."""
    return f"{owner}_{name}_port".upper()


def free_ports(count: int) -> range:
    """Return so many ports that were free just now, below those that outgoing connections take.

    None is one of the default run's: a part of it that is being restarted needs its port again.
    """
    defaults = {port for _, port in Ports.from_environment({}).by_variable()}
    while True:
        base = random.randrange(10_000, 30_000)  # noqa: S311 - no secret is made of it
        ports = range(base, base + count)
        if defaults.isdisjoint(ports) and all(is_free(port) for port in ports):
            return ports


def is_free(port: int) -> bool:
    """Tell whether something could listen on this port of the loopback now."""
    return _bind_error(port) is None


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def _user_of(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if local and local.port == port and connection.pid:
                if home := keepers.run_of(connection.pid):
                    return f" by Orderflow in {home} (`make stop` in its checkout stops it)"
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # another user's process: its name is not ours to know
    return ""


def _port(environment: Mapping[str, str], variable: str) -> int:
    port = _number(environment, variable, 0)
    if not 0 < port <= HIGHEST_PORT:
        raise PlatformError(f"{variable} must be from 1 to {HIGHEST_PORT}, and it is {port}.")
    return port


def _moved(variable: str, default: int, offset: int) -> int:
    if not 0 < default + offset <= HIGHEST_PORT:
        raise PlatformError(
            f"{OFFSET}={offset} would make {variable} {default + offset}, and ports are from 1 to "
            f"{HIGHEST_PORT}: choose another offset, or set {variable}."
        )
    return default + offset


def _number(environment: Mapping[str, str], variable: str, default: int) -> int:
    text = environment.get(variable, "").strip()
    number = read_whole_number(text) if text else default
    if number is None:
        raise PlatformError(f"{variable} must be {IN_DIGITS}, and it is {text!r}.")
    return number
