"""Which ports of this machine are free, and which processes use the others."""

import contextlib
import errno
import random
import socket
from dataclasses import fields
from typing import Final

import psutil

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.errors import PlatformError
from orderflow_tools.ports import HIGHEST_PORT, LOOPBACK, OFFSET, AppPorts, ControlPorts, Ports
from orderflow_tools.supervision import ownership

OFFSETS: Final = range(2_000, HIGHEST_PORT, 50)
"""The offsets that are tried, in this order, to find one to suggest."""
BLOCKS: Final = range(10_000, 30_000, 50)
"""The first ports of the blocks that are reserved, below the ports of outgoing connections."""


def find_free_ports(count: int) -> range:
    """Return this many free ports, and reserve them until this process ends.

    No other caller gets them meanwhile, even while nothing listens on them: the first port of
    their block stays bound. The ports of the default run are left out, because a process that
    restarts needs its port again. Raises PlatformError if no block is free.
    """
    defaults = _default_ports()
    for first in random.sample(BLOCKS, len(BLOCKS)):
        ports = range(first + 1, first + 1 + count)
        with socket.socket() as reservation, contextlib.suppress(OSError):
            reservation.bind((LOOPBACK, first))
            if defaults.isdisjoint(ports) and all(is_free(port) for port in ports):
                reservation.detach()  # only the end of this process closes it
                return ports
    raise PlatformError(f"No {count} ports in a row are free above {BLOCKS.start}.")


def free_block() -> Ports:
    """Return ports for a whole run, all free and reserved; see `find_free_ports`."""
    count = len(fields(ControlPorts)) + len(LOCAL_PORTS) * len(fields(AppPorts))
    ports = iter(find_free_ports(count))
    return Ports(
        control=ControlPorts(**{item.name: next(ports) for item in fields(ControlPorts)}),
        apps={
            app: AppPorts(**{item.name: next(ports) for item in fields(AppPorts)})
            for app in LOCAL_PORTS
        },
    )


def check(ports: Ports) -> None:
    """Raise PlatformError if two ports of a run are the same or one cannot be used."""
    variables: dict[int, str] = {}
    for variable, port in ports.by_variable():
        if port in variables:
            raise PlatformError(
                f"{variables[port]} and {variable} are both {port}: give them different ports."
            )
        variables[port] = variable
    for port, variable in variables.items():
        if error := _bind_error(port):
            raise PlatformError(_refusal(ports, variable, port, error))


def suggested_offset(ports: Ports) -> int | None:
    """Return an offset for a run beside this one and the default one; None if there is none.

    With it, all ports are free now, and none is one of the default run's, running or not.
    """
    defaults = _default_ports()
    for offset in OFFSETS:
        moved = _moved_to(ports, offset)
        is_possible = len(set(moved)) == len(moved) and max(moved) <= HIGHEST_PORT
        if is_possible and defaults.isdisjoint(moved) and all(is_free(port) for port in moved):
            return offset
    return None


def is_free(port: int) -> bool:
    """Return whether a process could listen on this port of the loopback interface now."""
    return _bind_error(port) is None


def _default_ports() -> set[int]:
    return {port for _, port in Ports.from_environment({}).by_variable()}


def _moved_to(ports: Ports, offset: int) -> list[int]:
    return [
        port if variable in ports.fixed else port - ports.offset + offset
        for variable, port in ports.by_variable()
    ]


def _refusal(ports: Ports, variable: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"Only root may use port {port}: set {variable} or {OFFSET} to another number."
    offset = suggested_offset(ports)
    all_ports = "" if offset is None else f", or all ports with {OFFSET}={offset}"
    return (
        f"Port {port} ({variable}) is in use{_user_of(port)}. Stop that, or move this port "
        f"with {variable}=...{all_ports}."
    )


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
    return None


def _user_of(port: int) -> str:
    """Return who uses a port, in words; empty if that cannot be found out."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if local and local.port == port and connection.pid:
                if home := ownership.run_of(connection.pid):
                    return f" by Orderflow in {home} (`make stop` in its checkout stops it)"
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # another user's process, whose name cannot be read
    return ""
