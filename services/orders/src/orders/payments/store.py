"""The record of charges and refunds, whichever provider made them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
)

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.database import Database, Utc
from orders.tables import ORDERS, TABLES

_ENDED_UNPAID: Final = tuple(
    status.value for status in (OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.FAILED)
)
"""The final statuses in which nothing is charged; a person settles what needs attention."""

_payments = Table(
    "payments",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("order_id", "kind"),
)


@dataclass(frozen=True)
class Payment:
    """An entry of the record: a charge or a refund."""

    number: int
    order_id: str
    kind: Literal["charge", "refund"]
    amount_cents: int
    at: datetime


@dataclass(frozen=True)
class StandingCharge:
    """A charge without a refund, and the status of its order; None if there is no such order."""

    order_id: str
    amount_cents: int
    status: str | None


class PaymentStore:
    """Stores at most one charge and one refund for each order."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    async def is_charged(self, order_id: str) -> bool | None:
        """Whether the order is charged; False once it is refunded, None if neither is recorded."""
        entries = await self._database.read(lambda connection: _entries(connection, order_id))
        return "refund" not in entries if entries else None

    async def record_charge(self, order_id: str, amount_cents: int) -> bool:
        """Record a charge, once; return False if a refund was recorded before."""
        at = self._clock()
        return await self._database.write(
            lambda connection: _charge(connection, order_id, amount_cents, at)
        )

    async def record_refund(self, order_id: str, refunded_cents: int) -> None:
        """Record a refund of what was charged, once.

        If the charge is not recorded, what the provider refunded was charged. If nothing was
        charged, a refund of zero prevents a charge that arrives later.
        """
        at = self._clock()
        await self._database.write(
            lambda connection: _refund(connection, order_id, refunded_cents, at)
        )

    async def without_order(self, after: int, most: int, until: datetime) -> list[StandingCharge]:
        """Return, of the next entries by number, charges of orders that do not stand.

        They have no refund. Their orders ended before that time without being completed, or are
        not on record.
        """
        numbers = and_(_payments.c.number > after, _payments.c.number <= after + most)
        return await self._without_order(numbers, until)

    async def of_order_without(self, order_id: str, until: datetime) -> list[StandingCharge]:
        """Return the charge of one order, if it would be among `without_order`."""
        return await self._without_order(_payments.c.order_id == order_id, until)

    async def last_number(self) -> int:
        """Return the number of the newest entry, 0 if there is none."""
        query = select(func.max(_payments.c.number))
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def _without_order(
        self, wanted: ColumnElement[bool], until: datetime
    ) -> list[StandingCharge]:
        query = _SELECT_WITHOUT_ORDER.where(wanted)
        rows = await self._database.read(
            lambda connection: connection.execute(query, {"until": until}).all()
        )
        return [StandingCharge(*row) for row in rows]

    async def entries(self, order_id: str) -> list[Payment]:
        """Return the charge and the refund of one order."""
        query = (
            select(_payments).where(_payments.c.order_id == order_id).order_by(_payments.c.number)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_payment(row) for row in rows]

    async def newest(self, limit: int, before: int | None) -> list[Payment]:
        """Return the charges and refunds of all orders, newest first."""
        query = select(_payments).order_by(_payments.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(_payments.c.number < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_payment(row) for row in rows]


_refunds: Final = _payments.alias("refunds")
_SELECT_WITHOUT_ORDER: Final = (
    select(
        _payments.c.order_id,
        _payments.c.amount_cents,
        ORDERS.c.status,
    )
    .select_from(_payments.outerjoin(ORDERS, ORDERS.c.order_id == _payments.c.order_id))
    .where(
        _payments.c.kind == "charge",
        or_(
            ORDERS.c.order_id.is_(None),
            and_(
                ORDERS.c.status.in_(_ENDED_UNPAID),
                ORDERS.c.compensation.is_(None),
                ORDERS.c.updated_at < bindparam("until"),
            ),
        ),
        ~exists().where(_refunds.c.order_id == _payments.c.order_id, _refunds.c.kind == "refund"),
    )
    .order_by(_payments.c.number)
)
_SELECT_ENTRIES: Final = select(_payments.c.kind, _payments.c.amount_cents).where(
    _payments.c.order_id == bindparam("order_id")
)
_INSERT_ENTRY: Final = insert(_payments)


def _entries(connection: Connection, order_id: str) -> dict[str, int]:
    rows = connection.execute(_SELECT_ENTRIES, {"order_id": order_id})
    return {row.kind: row.amount_cents for row in rows}


def _charge(connection: Connection, order_id: str, amount_cents: int, at: datetime) -> bool:
    entries = _entries(connection, order_id)
    if "refund" in entries:
        return False
    if "charge" not in entries:
        _enter(connection, order_id, "charge", amount_cents, at)
    return True


def _refund(connection: Connection, order_id: str, refunded_cents: int, at: datetime) -> None:
    entries = _entries(connection, order_id)
    if "refund" in entries:
        return
    if refunded_cents and "charge" not in entries:
        _enter(connection, order_id, "charge", refunded_cents, at)
    _enter(connection, order_id, "refund", entries.get("charge", refunded_cents), at)


def _enter(
    connection: Connection, order_id: str, kind: str, amount_cents: int, at: datetime
) -> None:
    connection.execute(
        _INSERT_ENTRY,
        {"order_id": order_id, "kind": kind, "amount_cents": amount_cents, "at": at},
    )


def _payment(row: Row[Any]) -> Payment:
    return Payment(row.number, row.order_id, row.kind, row.amount_cents, row.at)
