"""The session cookie: its name, and what browsers may do with it."""

from http.cookies import SimpleCookie

from starlette.requests import Request

from orderflow_hosting.hosts import Host, NotAHost
from orderflow_hosting.setting_types import HOUR_SECONDS
from orderflow_hosting.settings import ServiceSettings


class SessionCookie:
    """Names, reads and writes the cookie of one service.

    Browsers send a cookie to every port of a host. So its name contains the service and the port
    at which the browser reaches it; otherwise a sign-in at one run would end another's session.

    It is `Lax`: links in e-mails work, and browsers leave it out of other sites' forms and scripts.
    """

    def __init__(self, settings: ServiceSettings, app_id: str) -> None:
        self._app_id = app_id
        self._port = settings.http_port
        self._is_secure = settings.are_cookies_secure
        self._hours = settings.session_hours

    def name(self, request: Request) -> str:
        """Return the cookie's name, with the port in `Host`, or else the port of this service."""
        try:
            port = Host.read(request.headers.get("host", "")).port
        except NotAHost:
            port = None
        return f"orderflow_{self._app_id}_{port or self._port}_session"

    def read(self, request: Request) -> str | None:
        """Return the cookie of a session that has just begun, or else the one that was sent."""
        fresh: str | None = getattr(request.state, "new_session", None)
        return fresh or request.cookies.get(self.name(request))

    def write(self, request: Request, value: str) -> str:
        """Return the header that sets the cookie, or removes it if the value is empty."""
        name = self.name(request)
        morsel = SimpleCookie({name: value})[name]
        morsel["path"], morsel["httponly"], morsel["samesite"] = "/", True, "Lax"
        morsel["secure"] = self._is_secure
        morsel["max-age"] = round(self._hours * HOUR_SECONDS) if value else 0
        return morsel.OutputString()
