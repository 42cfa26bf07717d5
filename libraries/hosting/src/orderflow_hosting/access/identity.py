"""Identifies the caller: by token, session or proxy, or as anonymous on an open API."""

from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request

from orderflow_contracts.access import TOKEN_PREFIX
from orderflow_hosting.access.cookies import SessionCookie
from orderflow_hosting.access.principal import Principal
from orderflow_hosting.access.proxy import Proxy
from orderflow_hosting.access.reader import AccessReader
from orderflow_hosting.access.sessions import Session, Sessions
from orderflow_hosting.problems import Problem

BEARER: Final = "bearer "


@dataclass(frozen=True)
class Identity:
    """What is known about the caller; each part may be missing.

    `program` sent a token. `person` has signed in, here or at a proxy; `session` is theirs.
    `is_open` means that this request may use the APIs anonymously.
    """

    program: Principal | None = None
    person: Principal | None = None
    session: Session | None = None
    is_open: bool = False

    @property
    def is_somebody(self) -> bool:
        """Whether the caller is known, or may be anonymous."""
        return self.is_open or self.program is not None or self.person is not None

    @property
    def csrf(self) -> str:
        """The token that this session's forms send, as a protection against forged requests."""
        return self.session.csrf if self.session is not None else ""


class Identities:
    """Identifies callers by their requests."""

    def __init__(
        self,
        reader: AccessReader,
        proxy: Proxy,
        sessions: Sessions | None,
        cookie: SessionCookie,
        *,
        apis_open: bool,
    ) -> None:
        self._reader = reader
        self._proxy = proxy
        self._sessions = sessions
        self._cookie = cookie
        self._apis_open = apis_open

    async def of(self, request: Request) -> Identity:
        """Identify the caller. Raises `SIGN_IN_NEEDED` for an unknown token.

        A request through a proxy that signs people in never counts as a local program's.
        """
        address = request.client.host if request.client is not None else None
        is_proxied = self._proxy.is_peer(address)
        named = self._proxy.person(request.headers) if is_proxied else None
        identity = await self._person(request, named)
        program = self._program(request, known_otherwise=identity.person is not None)
        return replace(identity, program=program, is_open=self._apis_open and not is_proxied)

    async def is_current(self, identity: Identity) -> bool:
        """Return whether a caller who had access still has it."""
        session = identity.session
        if session is None or self._sessions is None:
            return True
        if await self._sessions.peek(session.digest) is None:
            return False
        return session.via == "proxy" or self._user(session) is not None

    def _user(self, session: Session) -> Principal | None:
        """Return the session's user; None if the user was removed or the password changed."""
        user = self._reader.user(session.name)
        if user is None or not session.began_with(user.password_hash):
            return None
        return Principal(user.name, frozenset(user.roles), "session")

    async def _person(self, request: Request, named: Principal | None) -> Identity:
        cookie = self._cookie.read(request)
        session = None
        if cookie is not None and self._sessions is not None:
            session = await self._sessions.find(cookie)
        if named is not None:
            is_theirs = session is not None and (session.name, session.via) == (named.name, "proxy")
            return Identity(person=named, session=session if is_theirs else None)
        if session is None or session.via == "proxy":
            return Identity()
        person = self._user(session)
        return Identity(person=person, session=session if person is not None else None)

    def _program(self, request: Request, *, known_otherwise: bool) -> Principal | None:
        header = request.headers.get("authorization")
        if header is None or not header.lower().startswith(BEARER):
            return None
        text = header[len(BEARER) :].strip()
        if known_otherwise and not text.startswith(TOKEN_PREFIX):
            return None  # a token of the proxy's own, which it passes on
        token = self._reader.token(text)
        if token is None:
            raise Problem(401, "SIGN_IN_NEEDED", "unknown token")
        return Principal(token.name, frozenset(token.roles), "token")
