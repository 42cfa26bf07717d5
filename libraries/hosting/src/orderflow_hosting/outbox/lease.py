"""Which of several replicas does a work: the one that holds its lease, a row in the database."""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import Connection, func, insert, or_, select, update

from orderflow_hosting.outbox.table import LEASE

LEASE_SECONDS: Final = 6.0
CALL_SECONDS: Final = 2.5
"""The longest that one call to the sidecar may take."""
MARGIN_SECONDS: Final = 0.5
"""A call ends at least this long before the lease."""


class Turn(Protocol):
    """Whether this process may do the work now, such as publishing."""

    def take_within(self, connection: Connection) -> bool:
        """Take or renew the right to the work; return False if another process has it."""
        ...

    def give_back_within(self, connection: Connection) -> None:
        """Let another process do the work at once."""
        ...

    @property
    def is_certain(self) -> bool:
        """Whether it need not be taken or renewed yet."""
        ...

    @property
    def seconds_for_a_call(self) -> float:
        """How long a call that begins now may take; 0 if none may begin."""
        ...


class Alone:
    """The turn of the only process that uses its database."""

    is_certain = True
    seconds_for_a_call = CALL_SECONDS

    def take_within(self, _: Connection) -> bool:
        """Return True."""
        return True

    def give_back_within(self, _: Connection) -> None:
        """Do nothing."""


def database_time(connection: Connection) -> datetime:
    """Return the time by the server's clock: those of the replicas may differ."""
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


class Lease:
    """The turn of one of several processes at a work, which has a number.

    A holder that was paused finds its lease expired, by a clock that goes on meanwhile, and begins
    no call. A call that was begun ends before the lease does.
    """

    def __init__(
        self,
        database_time: Callable[[Connection], datetime] = database_time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        number: int = 1,
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self._number = number
        self._row = LEASE.c.number == number
        self._seconds = seconds
        self._owner = str(uuid.uuid4())
        self._database_time = database_time
        self._monotonic = monotonic
        self._ends_at = 0.0

    def take_within(self, connection: Connection) -> bool:
        """Take or renew the lease, in the transaction that reads what is to be published."""
        began_at = self._monotonic()
        at = self._database_time(connection)
        mine = {"owner": self._owner, "expires_at": at + timedelta(seconds=self._seconds)}
        free = or_(LEASE.c.owner == self._owner, LEASE.c.expires_at <= at)
        if connection.execute(update(LEASE).where(self._row, free).values(mine)).rowcount == 0:
            if connection.execute(select(LEASE.c.number).where(self._row)).first() is not None:
                self._ends_at = 0.0
                return False
            connection.execute(insert(LEASE).values(number=self._number, **mine))
        self._ends_at = began_at + self._seconds
        return True

    def give_back_within(self, connection: Connection) -> None:
        """Let the lease expire now, if this process holds it."""
        self._ends_at = 0.0
        given_back = update(LEASE).where(self._row, LEASE.c.owner == self._owner)
        connection.execute(given_back.values(expires_at=self._database_time(connection)))

    @property
    def is_certain(self) -> bool:
        """Whether more than half of the lease is left."""
        return self._ends_at - self._monotonic() > self._seconds / 2

    @property
    def seconds_for_a_call(self) -> float:
        """How long a call that begins now may take; 0 if none may begin."""
        left = self._ends_at - self._monotonic() - MARGIN_SECONDS
        return max(0.0, min(left, CALL_SECONDS))
