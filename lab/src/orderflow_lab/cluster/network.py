"""The cluster's addresses: a block for the node, one for services, one for pods."""

import ipaddress
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from orderflow_tools.errors import PlatformError


@dataclass(frozen=True)
class Network:
    """Address blocks that nothing else on the machine uses."""

    link: IPv4Network
    services: IPv4Network
    pods: IPv4Network

    @property
    def node(self) -> IPv4Address:
        """The node's address, where its API server listens."""
        return self.link[1]

    @property
    def machine(self) -> IPv4Address:
        """The machine's address on the link to the node."""
        return self.link[2]

    @property
    def api(self) -> IPv4Address:
        """The API server's address for pods: the first service address."""
        return self.services[1]

    @property
    def dns(self) -> IPv4Address:
        """The address of the cluster's name server."""
        return self.services[10]


def _network(link: str, services: str, pods: str) -> Network:
    return Network(*(IPv4Network(block) for block in (link, services, pods)))


CANDIDATES: Final = (
    _network("10.88.77.0/24", "10.96.0.0/16", "10.244.0.0/16"),
    _network("172.27.77.0/24", "172.28.0.0/16", "172.29.0.0/16"),
    _network("192.168.177.0/24", "192.168.192.0/20", "192.168.208.0/20"),
)


def free_network(routes: Iterable[IPv4Network]) -> Network:
    """Return the first blocks that overlap with none of the machine's routes."""
    taken = [route for route in routes if route.prefixlen]
    for candidate in CANDIDATES:
        blocks = (candidate.link, candidate.services, candidate.pods)
        if not any(block.overlaps(route) for block in blocks for route in taken):
            return candidate
    tried = ", ".join(str(candidate.link) for candidate in CANDIDATES)
    raise PlatformError(
        f"This machine has routes to all address blocks that a cluster could use ({tried}, and "
        "those that belong to them), so a cluster could not be reached."
    )


def routes_of_machine() -> list[IPv4Network]:
    """Return the destinations of the machine's routes; the default route has prefix length 0."""
    shown = subprocess.run(
        ["ip", "-4", "-json", "route", "show", "table", "all"],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    return [
        IPv4Network("0.0.0.0/0")
        if route["dst"] == "default"
        else ipaddress.IPv4Network(route["dst"])
        for route in json.loads(shown.stdout or "[]")
    ]
