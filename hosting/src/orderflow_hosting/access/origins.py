"""Where a request comes from: the host that it names, and the site that made a browser send it."""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings, is_loopback

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES: Final = frozenset({"same-origin", "none"})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins:
    """The names under which people reach a service.

    A page of another site may make a browser call a service that only listens on loopback: under
    a name of its own that it lets point there, or by sending a form. The first shows in `Host`,
    the second in `Origin` and `Sec-Fetch-Site`. Programs send neither of these two.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._is_local = settings.is_local
        self._public = frozenset(settings.public_hosts)
        self._is_known = lru_cache(maxsize=256)(self._find)

    def check(self, method: str, path: str, headers: Headers, public: frozenset[str]) -> None:
        """Raise `HOST_NOT_KNOWN` or `CROSS_SITE`; `public` paths may be asked for by any name."""
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
        raise Problem(421, "HOST_NOT_KNOWN", "this service is not known under the name in Host")

    def _find(self, host: str) -> bool:
        name = _name(host)
        return name in self._public or (self._is_local and is_loopback(name))

    def _check_site(self, headers: Headers) -> None:
        site = headers.get("sec-fetch-site")
        origins = headers.getlist("origin")
        is_own = all(self._is_own(origin, headers.get("host", "")) for origin in origins)
        if (site is not None and site not in OWN_SITES) or not is_own or len(origins) > 1:
            raise Problem(403, "CROSS_SITE", "a page of another site must not change anything here")

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
            default = DEFAULT_PORTS.get(parts.scheme)
            port = parts.port or default
            mine = urlsplit(f"//{host}")
            my_port = mine.port or default
        except ValueError:
            return False
        if default is None or not parts.hostname:
            return False
        if (parts.hostname, port) == (mine.hostname, my_port):
            return True
        return port == default and parts.hostname in self._public


def _name(host: str) -> str:
    """Take the port off a Host header."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
