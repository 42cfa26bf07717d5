"""Sessions: who has signed in with which browser, stored in the service's own database."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access.tables import AccessTables
from orderflow_hosting.database import Database

IDLE: Final = timedelta(minutes=60)
SEEN_EVERY: Final = timedelta(minutes=1)
"""A session's use is recorded no more often than this, so that most requests write nothing."""

RETENTION: Final = timedelta(days=7)
"""How long ended sessions are stored, so that they can be inspected."""


@dataclass(frozen=True)
class Session:
    """A stored session; the cookie itself is not stored."""

    digest: str
    name: str
    csrf: str
    via: Literal["session", "proxy"]
    created_at: datetime
    seen_at: datetime
    password: str | None

    def began_with(self, password_hash: str) -> bool:
        """Return whether the password is unchanged; a session from a proxy has none."""
        return self.password is None or self.password == _digest(password_hash)


class Sessions:
    """The sessions of one service; each ends at sign-out, when idle, or at a maximum age."""

    def __init__(
        self, database: Database, tables: AccessTables, hours: float, clock: Clock = now
    ) -> None:
        self._database = database
        self._table = tables.sessions
        self._longest = timedelta(hours=hours)
        self._clock = clock

    def open_within(
        self,
        connection: Connection,
        cookie: str,
        name: str,
        via: Literal["session", "proxy"],
        csrf: str,
        password_hash: str | None = None,
    ) -> None:
        """Begin a session under a new cookie."""
        at = self._clock()
        columns = self._table.c
        connection.execute(
            delete(self._table).where(columns.created_at < at - self._longest - RETENTION)
        )
        connection.execute(
            insert(self._table).values(
                digest=_digest(cookie),
                name=name,
                csrf=csrf,
                via=via,
                created_at=at,
                seen_at=at,
                password=_digest(password_hash) if password_hash is not None else None,
            )
        )

    async def open(self, name: str, via: Literal["session", "proxy"]) -> tuple[str, str]:
        """Begin a session; return its cookie and the CSRF token of its forms."""
        cookie, csrf = new_secret(), new_secret()
        await self._database.write(
            lambda connection: self.open_within(connection, cookie, name, via, csrf)
        )
        return cookie, csrf

    async def find(self, cookie: str) -> Session | None:
        """Find the current session of a cookie, and record that it is in use."""
        session = await self.peek(_digest(cookie))
        if session is not None and self._clock() - session.seen_at >= SEEN_EVERY:
            await self._record_use(session.digest)
        return session

    async def peek(self, digest: str) -> Session | None:
        """Find a current session without recording its use."""
        columns = self._table.c
        query = select(self._table).where(columns.digest == digest, columns.ended_at.is_(None))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None or not self._is_current(row):
            return None
        return Session(
            row.digest, row.name, row.csrf, row.via, row.created_at, row.seen_at, row.password
        )

    def end_within(self, connection: Connection, digest: str) -> None:
        """End a session; its cookie is no longer valid."""
        columns = self._table.c
        connection.execute(
            update(self._table)
            .where(columns.digest == digest, columns.ended_at.is_(None))
            .values(ended_at=self._clock())
        )

    def _is_current(self, row: Row[Any]) -> bool:
        created_at: datetime = row.created_at
        seen_at: datetime = row.seen_at
        return self._clock() < min(created_at + self._longest, seen_at + IDLE)

    async def _record_use(self, digest: str) -> None:
        seen = update(self._table).where(self._table.c.digest == digest)
        seen = seen.values(seen_at=self._clock())
        await self._database.write(lambda connection: connection.execute(seen))


def new_secret() -> str:
    """Make a secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
