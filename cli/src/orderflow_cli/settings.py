"""Addresses of the services and the credential for them, read from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from orderflow_cli.credentials import Credential, load_credential
from orderflow_cli.errors import OrderflowError
from orderflow_contracts import variables
from orderflow_contracts.names import APPROVALS, INVENTORY, LOCAL_PORTS, ORDERS
from orderflow_contracts.numbers import IN_DIGITS, read_whole_number

HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True)
class Settings:
    """Base URLs of the services, and of the orders sidecar, through which events are published.

    The credential, if any, is sent to the services and never to the sidecar.
    """

    orders_url: str
    inventory_url: str
    approvals_url: str
    sidecar_url: str
    credential: Credential | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses in use."""
        return self.orders_url, self.inventory_url, self.approvals_url, self.sidecar_url


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; URLs take precedence over ports, and ports over the common offset.

    Raises `OrderflowError`, naming the variable or the token file.
    """
    for name, fault in variables.mistakes(environment, [variables.PREFIX], variables.SHARED):
        raise OrderflowError(f"{name}: {fault}")
    offset = _number(environment, "ORDERFLOW_PORT_OFFSET", 0)

    def url(name: str, port_name: str, default_port: int) -> str:
        port = _number(environment, port_name, default_port + offset)
        if not 0 < port <= HIGHEST_PORT:
            raise OrderflowError(
                f"{port} is not a valid port: set {port_name} or ORDERFLOW_PORT_OFFSET to another "
                "number"
            )
        return _url(environment, name, f"http://127.0.0.1:{port}")

    return Settings(
        orders_url=url("ORDERFLOW_ORDERS_URL", "ORDERS_HTTP_PORT", LOCAL_PORTS[ORDERS].http),
        inventory_url=url(
            "ORDERFLOW_INVENTORY_URL", "INVENTORY_HTTP_PORT", LOCAL_PORTS[INVENTORY].http
        ),
        approvals_url=url(
            "ORDERFLOW_APPROVALS_URL", "APPROVALS_HTTP_PORT", LOCAL_PORTS[APPROVALS].http
        ),
        sidecar_url=url(
            "ORDERFLOW_SIDECAR_URL", "ORDERS_DAPR_HTTP_PORT", LOCAL_PORTS[ORDERS].dapr_http
        ),
        credential=load_credential(environment),
    )


def sidecar_grpc(environment: Mapping[str, str] = os.environ) -> str:
    """Return the gRPC address of the orders sidecar, from the variables that orders reads.

    Raises `OrderflowError`, naming the variable.
    """
    default = LOCAL_PORTS[ORDERS].dapr_grpc + _number(environment, "ORDERFLOW_PORT_OFFSET", 0)
    port = _number(environment, "ORDERS_DAPR_GRPC_PORT", default)
    port = _number(environment, "DAPR_GRPC_PORT", port)
    if not 0 < port <= HIGHEST_PORT:
        raise OrderflowError(f"{port} is not a valid port: set DAPR_GRPC_PORT to another number")
    host = environment.get("DAPR_RUNTIME_HOST", "").strip() or "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "").strip()
    number = read_whole_number(text) if text else default
    if number is None:
        raise OrderflowError(f"{name} must be {IN_DIGITS}, not {text!r}")
    return number


def _url(environment: Mapping[str, str], name: str, default: str) -> str:
    text = environment.get(name, "").strip() or default
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        str(parts.hostname).encode("idna")  # as sockets do; raises for an impossible host name
        usable = usable and not parts.query and not parts.fragment  # paths are appended to it
        httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise OrderflowError(f"{name} must be a URL such as {default}, not {text!r}")
    return text.rstrip("/")
