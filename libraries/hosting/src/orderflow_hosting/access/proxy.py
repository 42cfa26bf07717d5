"""The caller that a proxy names: trusted only from the proxy's own addresses."""

import ipaddress
from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers

from orderflow_contracts.access import Role, UserName
from orderflow_hosting.access.principal import Principal
from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings

_NAME: Final[TypeAdapter[str]] = TypeAdapter(UserName)


class Proxy:
    """The proxies that sign people in, and the roles of their groups."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._networks = settings.proxy_addresses
        self._user_header = settings.proxy_user_header
        self._groups_header = settings.proxy_groups_header
        self._groups = settings.proxy_groups

    def is_peer(self, address: str | None) -> bool:
        """Return whether a TCP connection comes from one of the proxies."""
        if not self._networks or address is None:
            return False
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._networks)

    def person(self, headers: Headers) -> Principal | None:
        """Return the person whom a proxy names, or None if it names nobody.

        A header that was sent twice is refused, because one of the two is not from the proxy.
        """
        name = self._only(headers, self._user_header)
        if name is None:
            return None
        try:
            _NAME.validate_python(name)
        except ValidationError:
            raise _refused(self._user_header, "does not contain a valid name") from None
        groups = (self._only(headers, self._groups_header) or "").split(",")
        return Principal(name, self._roles(group.strip() for group in groups), "proxy")

    def _roles(self, groups: Iterable[str]) -> frozenset[Role]:
        return frozenset(role for group in groups for role in self._groups.get(group, ()))

    def _only(self, headers: Headers, name: str) -> str | None:
        values = headers.getlist(name)
        if len(values) > 1:
            raise _refused(name, "was sent more than once")
        if not values or not values[0].strip():
            return None
        try:
            return values[0].strip().encode("latin-1").decode()
        except UnicodeDecodeError:
            raise _refused(name, "is not UTF-8") from None


def _refused(header: str, why: str) -> Problem:
    return Problem(403, "NOT_ALLOWED", f"the proxy's header {header} {why}")
