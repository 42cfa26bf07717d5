"""The environment variables of Orderflow, and how to find mistyped ones."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from orderflow_contracts.names import SERVICES

PREFIX: Final = "ORDERFLOW_"

FOR_SERVICES: Final = frozenset(
    {
        "ORDERFLOW_ACCESS_FILE",
        "ORDERFLOW_APIS_CLOSED",
        "ORDERFLOW_COOKIES_SECURE",
        "ORDERFLOW_PROXY_ADDRESSES",
        "ORDERFLOW_PROXY_GROUPS",
        "ORDERFLOW_PROXY_GROUPS_HEADER",
        "ORDERFLOW_PROXY_USER_HEADER",
        "ORDERFLOW_PUBLIC_HOSTS",
        "ORDERFLOW_SESSION_HOURS",
        "ORDERFLOW_START_SECONDS",
    }
)
"""Variables that every service reads, besides those of its own prefix."""

FOR_CLIENTS: Final = frozenset(
    {
        "ORDERFLOW_APPROVALS_URL",
        "ORDERFLOW_INVENTORY_URL",
        "ORDERFLOW_ORDERS_URL",
        "ORDERFLOW_SIDECAR_URL",
        "ORDERFLOW_TOKEN",
        "ORDERFLOW_TOKEN_FILE",
    }
)
"""Variables that the `orderflow` command reads."""

FOR_TOOLS: Final = frozenset(
    {
        "ORDERFLOW_BROKER",
        "ORDERFLOW_BROWSER",
        "ORDERFLOW_HOME",
        "ORDERFLOW_INVENTORY_STORE",
        "ORDERFLOW_KUBECTL",
        "ORDERFLOW_PORT_OFFSET",
        "ORDERFLOW_POSTGRES_URL",
        "ORDERFLOW_SCREENSHOTS",
        # The ports of the servers that all sidecars share.
        "ORDERFLOW_BROKER_PORT",
        "ORDERFLOW_EVENT_BROKER_PEER_PORT",
        "ORDERFLOW_EVENT_BROKER_PORT",
        "ORDERFLOW_PLACEMENT_HEALTH_PORT",
        "ORDERFLOW_PLACEMENT_METRICS_PORT",
        "ORDERFLOW_PLACEMENT_PORT",
        "ORDERFLOW_PLACEMENT_RAFT_PORT",
        "ORDERFLOW_SCHEDULER_ETCD_CLIENT_PORT",
        "ORDERFLOW_SCHEDULER_ETCD_PEER_PORT",
        "ORDERFLOW_SCHEDULER_HEALTH_PORT",
        "ORDERFLOW_SCHEDULER_METRICS_PORT",
        "ORDERFLOW_SCHEDULER_PORT",
    }
)
"""Variables that the tools and the tests read, or set for the processes they start."""

SHARED: Final = FOR_SERVICES | FOR_CLIENTS | FOR_TOOLS
"""All variables with the common prefix; every program accepts those of the others."""

PORTS: Final = frozenset(
    f"{app_id.upper()}_{port}_PORT"
    for app_id in SERVICES
    for port in ("HTTP", "GRPC", "DAPR_HTTP", "DAPR_GRPC", "DAPR_INTERNAL_GRPC", "DAPR_METRICS")
)
"""The ports of the services and their sidecars on one machine."""

_KUBERNETES_NAME: Final = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_KUBERNETES_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
_MIN_SIMILARITY: Final = 0.6


def mistakes(
    environment: Mapping[str, str], prefixes: Collection[str], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield each variable that has one of the prefixes but that nobody reads, with the error.

    Case is ignored, and an empty variable counts as unset. Kubernetes sets variables of its own for
    every Service, such as ORDERS_SERVICE_HOST for one called orders: those are accepted.
    """
    for name, value in sorted(environment.items()):
        upper = name.upper()
        if not value or upper in known or not upper.startswith(tuple(prefixes)):
            continue
        if not _is_set_by_kubernetes(upper, value):
            yield name, _unknown(upper, known)


def _is_set_by_kubernetes(name: str, value: str) -> bool:
    is_address = _KUBERNETES_ADDRESS.match(value) is not None  # our ports are numbers
    return _KUBERNETES_NAME.search(name) is not None or (name.endswith("_PORT") and is_address)


def _unknown(name: str, known: Collection[str]) -> str:
    """Return the error, with a known variable that has the same words or is spelt alike."""
    prefix, _, rest = name.partition("_")
    others = [each.partition("_")[2] for each in sorted(known) if each.startswith(f"{prefix}_")]
    words = set(rest.split("_"))
    candidates = [each for each in others if words <= set(each.split("_"))]
    closest = difflib.get_close_matches(rest, candidates or others, 1, _MIN_SIMILARITY)
    if not closest and candidates:
        closest = candidates[:1]
    hint = f"did you mean {prefix}_{closest[0]}? If not, unset it" if closest else "unset it"
    return f"there is no such variable; {hint}"
