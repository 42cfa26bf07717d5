"""The TCP ports of one run, and the environment variables that move them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Self

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number
from orderflow_tools.errors import PlatformError

LOOPBACK: Final = "127.0.0.1"
HIGHEST_PORT: Final = 65_535
OFFSET: Final = "ORDERFLOW_PORT_OFFSET"


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
    """The ports of the processes that serve all sidecars; ORDERFLOW_<NAME>_PORT moves each."""

    broker: int = 16379
    event_broker: int = 16380  # a broker other than Redis
    event_broker_peer: int = 16381  # what that broker needs besides
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
    """Return the ports that the contract fixes, and defaults for the others."""
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
    """The variables that set a single port; the offset does not move these ports."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the default ports, moved by ORDERFLOW_PORT_OFFSET or by a variable for each.

        Raises PlatformError, which names the variable, if a value is not a port.
        """
        defaults = default_app_ports()
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
        """Yield each port with the environment variable that moves it."""
        for item in fields(ControlPorts):
            yield variable_of("orderflow", item.name), getattr(self.control, item.name)
        for app, ports in self.apps.items():
            for item in fields(AppPorts):
                yield variable_of(app, item.name), getattr(ports, item.name)


def variable_of(owner: str, name: str) -> str:
    """Return the name of the environment variable that moves a port."""
    return f"{owner}_{name}_port".upper()


def _port(environment: Mapping[str, str], variable: str) -> int:
    port = _number(environment, variable, 0)
    if not 0 < port <= HIGHEST_PORT:
        raise PlatformError(f"{variable} must be from 1 to {HIGHEST_PORT}, not {port}.")
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
        raise PlatformError(f"{variable} must be {IN_DIGITS}, not {text!r}.")
    return number
