"""An HTTP client's token, sent to named hosts only."""

from collections.abc import Collection, Generator

import httpx


class Bearer(httpx.Auth):
    """Adds a bearer token to requests for the named hosts or addresses."""

    def __init__(self, token: str, hosts: Collection[str]) -> None:
        self._token = token
        self._hosts = frozenset(hosts)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header if the request goes to one of the hosts."""
        if request.url.host in self._hosts:
            request.headers["authorization"] = f"Bearer {self._token}"
        yield request
