"""A token that is shown to services, and to nobody else whom the same client asks."""

from collections.abc import Collection, Generator

import httpx


class Bearer(httpx.Auth):
    """Shows a token to hosts, by their names or addresses."""

    def __init__(self, token: str, hosts: Collection[str]) -> None:
        self._token = token
        self._hosts = frozenset(hosts)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header where it belongs."""
        if request.url.host in self._hosts:
            request.headers["authorization"] = f"Bearer {self._token}"
        yield request
