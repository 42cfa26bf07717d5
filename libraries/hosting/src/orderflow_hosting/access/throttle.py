"""Slows down attempts to guess passwords."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access.tables import AccessTables
from orderflow_hosting.database import Database

WINDOW: Final = timedelta(minutes=15)
MAX_PER_NAME_AND_ADDRESS: Final = 5
MAX_PER_NAME: Final = 20
MAX_PER_ADDRESS: Final = 20
FIRST_WAIT_SECONDS: Final = 30


class Throttle:
    """Counts wrong passwords by name and by address, for all replicas of a service.

    The limit for a name from many addresses is higher than from one, so that nobody can lock out
    another person with a few wrong passwords.

    An attempt counts as wrong as soon as it begins, so that parallel attempts cannot exceed a
    limit; the right password resets the count of its name.
    """

    def __init__(self, database: Database, tables: AccessTables, clock: Clock = now) -> None:
        self._database = database
        self._table = tables.failed_sign_ins
        self._clock = clock

    async def begin(self, name: str, address: str) -> float:
        """Count an attempt and return 0, or return how many seconds to wait before the next one."""
        at, digest = self._clock(), _digest(name)
        columns = self._table.c

        def work(connection: Connection) -> float:
            connection.execute(delete(self._table).where(columns.at <= at - WINDOW))
            named, from_there = columns.name_digest == digest, columns.address == address
            limits = (
                (and_(named, from_there), MAX_PER_NAME_AND_ADDRESS),
                (named, MAX_PER_NAME),
                (from_there, MAX_PER_ADDRESS),
            )
            wait = max(self._wait(connection, at, of, most) for of, most in limits)
            if wait <= 0:
                entry = insert(self._table).values(name_digest=digest, address=address, at=at)
                connection.execute(entry)
            return wait

        return await self._database.write(work)

    def forget_within(self, connection: Connection, name: str) -> None:
        """Reset the count of a name: the right password was given."""
        connection.execute(delete(self._table).where(self._table.c.name_digest == _digest(name)))

    def _wait(
        self, connection: Connection, at: datetime, of: ColumnElement[bool], most: int
    ) -> float:
        query = select(func.count(), func.max(self._table.c.at)).where(of)
        count, last = connection.execute(query).one()
        if count < most:
            return 0.0
        pause = timedelta(seconds=FIRST_WAIT_SECONDS * 2 ** min(count - most, 10))
        until: datetime = last + min(pause, WINDOW)
        return (until - at).total_seconds()


def _digest(name: str) -> str:
    """Digest a name: what someone typed there by mistake may be a password."""
    return hashlib.sha256(name.strip().casefold().encode(errors="replace")).hexdigest()
