"""The origin of a request: the host it names, and the site that made a browser send it."""

from functools import lru_cache
from typing import Final

from starlette.datastructures import Headers

from orderflow_hosting.hosts import DEFAULT_PORTS, Host, NotAHost
from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({"same-origin", "none"})


class Origins:
    """The names under which people reach a service.

    A page of another site can make a browser call a service that listens only on loopback: by a
    host name of its own that resolves to it, or by submitting a form. The first shows in `Host`,
    the second in `Origin` and `Sec-Fetch-Site`, which programs do not send.

    A public host with a port is known with that port and without any, because a gateway may omit
    it. One without a port is known with any port, but its own pages use only the default ones.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._is_local = settings.is_local
        self._public = frozenset(Host.read(entry) for entry in settings.public_hosts)
        self._names = frozenset(host.name for host in self._public)
        self._is_known = lru_cache(maxsize=256)(self._find)

    def check(self, method: str, path: str, headers: Headers, public: frozenset[str]) -> None:
        """Raise `HOST_NOT_KNOWN` or `CROSS_SITE`; `public` paths accept any host name."""
        if path not in public:
            self._check_host(headers)
        if method not in SAFE:
            self._check_site(headers)

    def _check_host(self, headers: Headers) -> None:
        if not self._is_local and not self._public:
            return
        hosts = headers.getlist("host")
        if len(hosts) == 1 and self._is_known(hosts[0]):
            return
        raise Problem(421, "HOST_NOT_KNOWN", "the host name in Host is not known to this service")

    def _find(self, text: str) -> bool:
        try:
            host = Host.read(text)
        except NotAHost:
            return False
        if self._is_local and host.is_loopback:
            return True
        if host.port is None:
            return host.name in self._names
        return host in self._public or Host(host.name) in self._public

    def _check_site(self, headers: Headers) -> None:
        site = headers.get("sec-fetch-site")
        origins = headers.getlist("origin")
        is_own = all(self._is_own(origin, headers.get("host", "")) for origin in origins)
        if (site is not None and site not in OWN_SITES) or not is_own or len(origins) > 1:
            raise Problem(403, "CROSS_SITE", "pages of other sites must not change anything here")

    def _is_own(self, text: str, host: str) -> bool:
        """Compare a page's origin with the requested host and with the public hosts."""
        try:
            origin = Host.of_origin(text)
            asked = Host.read(host)
        except NotAHost:
            return False
        default = DEFAULT_PORTS[text.partition("://")[0].lower()]
        if origin == Host(asked.name, asked.port or default):
            return True
        return origin in self._public or (
            origin.port == default and Host(origin.name) in self._public
        )
