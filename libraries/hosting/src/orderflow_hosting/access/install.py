"""The access of one service: built from its settings, and installed in its application."""

from fastapi import APIRouter, FastAPI, Request

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access.audit import Audit
from orderflow_hosting.access.audit_api import audit_router
from orderflow_hosting.access.cookies import SessionCookie
from orderflow_hosting.access.identity import Identities, Identity
from orderflow_hosting.access.middleware import AccessMiddleware
from orderflow_hosting.access.openapi import describe_access
from orderflow_hosting.access.origins import Origins
from orderflow_hosting.access.principal import Principal
from orderflow_hosting.access.proxy import Proxy
from orderflow_hosting.access.reader import AccessReader
from orderflow_hosting.access.sessions import Sessions
from orderflow_hosting.access.signing import Show, Signing, sign_in_router
from orderflow_hosting.access.tables import AccessTables
from orderflow_hosting.access.throttle import Throttle
from orderflow_hosting.database import Database
from orderflow_hosting.settings import ServiceSettings


class Access:
    """The access to one service: who the callers are, what they may do, and the audit trail.

    A service without a database has only APIs: it accepts tokens, and nobody can sign in.
    Raises `AccessFileBroken`.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        app_id: str,
        database: Database | None = None,
        tables: AccessTables | None = None,
        clock: Clock = now,
    ) -> None:
        self.audit: Audit | None = None
        self._cookie = SessionCookie(settings, app_id)
        self._settings = settings
        self._origins = Origins(settings)
        self._sessions: Sessions | None = None
        self._signing: Signing | None = None
        reader = AccessReader(settings.access_file)
        if database is not None and tables is not None:
            self.audit = Audit(database, tables, clock)
            self._sessions = Sessions(database, tables, settings.session_hours, clock)
        self._identities = Identities(
            reader,
            Proxy(settings),
            self._sessions,
            self._cookie,
            apis_open=not settings.are_apis_closed,
        )
        if database is not None and tables is not None and self._sessions and self.audit:
            throttle = Throttle(database, tables, clock)
            self._signing = Signing(database, reader, self._sessions, throttle, self.audit)

    @property
    def has_sign_in(self) -> bool:
        """Whether people can sign in here."""
        return self._signing is not None

    def install(self, app: FastAPI) -> None:
        """Refuse unknown callers of this application.

        Call this before the site's `install`, so that refusals have the site's headers too.
        """
        app.state.access = self
        describe_access(app, apis_open=not self._settings.are_apis_closed)
        app.add_middleware(
            AccessMiddleware,
            origins=self._origins,
            identities=self._identities,
            audit=self.audit,
            cookie=self._cookie,
        )

    def sign_in_router(self, show: Show) -> APIRouter:
        """Serve the sign-in page."""
        if self._signing is None:
            raise RuntimeError("sign-in needs a database")
        return sign_in_router(self._signing, show)

    def audit_router(self) -> APIRouter:
        """Serve the audit trail."""
        if self.audit is None:
            raise RuntimeError("the audit trail needs a database")
        return audit_router(self.audit)

    async def new_session(self, request: Request, person: Principal) -> None:
        """Begin a session for a person whom a proxy has signed in."""
        if self._sessions is None:
            raise RuntimeError("sessions need a database")
        cookie, csrf = await self._sessions.open(person.name, "proxy")
        request.state.new_session, request.state.csrf = cookie, csrf

    async def session_is_current(self, request: Request) -> bool:
        """Return whether the caller still has access; if not, their event streams end."""
        identity: Identity = request.state.identity
        return await self._identities.is_current(identity)
