"""What a service declares about itself; `names.SERVICES` holds the declarations."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one service and its sidecar in the local run."""

    http: int
    grpc: int
    dapr_http: int
    dapr_grpc: int


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service: everything that other programs and the deployment must know about it.

    The local run follows from it. `make generate` writes `dapr.yaml`, the scopes of components and
    the service's manifests from it, and the service's own code is checked against it.
    """

    app_id: str
    ports: Ports
    publishes: frozenset[str] = frozenset()
    """The topics on which it publishes."""
    subscribes: tuple[str, ...] = ()
    """The topics that it handles, each with a dead-letter topic."""
    scales_on: tuple[str, ...] = ()
    """The subscriptions whose backlog adds pods, where KEDA scales the service."""
    methods: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The methods that may be invoked through its sidecar, and the app ids of their callers."""
    components: frozenset[str] = frozenset()
    """The Dapr components that its sidecar loads: the broker, and state stores of its own."""
    has_tables: bool = False
    """Whether it has a database for tables of its own."""
