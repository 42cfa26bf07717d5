"""The built-in payment provider, which keeps a ledger in orders' own tables."""

from collections import Counter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    Row,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
)

from orderflow_contracts.fields import now
from orderflow_hosting.database import Database, Utc
from orders.payments.provider import Payment, PaymentUnavailable
from orders.tables import TABLES

DECLINED_CUSTOMERS: Final = "test-declined"
UNAVAILABLE_CUSTOMERS: Final = "test-unavailable-"

_ledger = Table(
    "payments",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("amount_cents", BigInteger, nullable=False),
    Column("at", Utc, nullable=False),
    UniqueConstraint("order_id", "kind"),
)


class LedgerProvider:
    """The built-in provider: every charge succeeds, unless the customer is a test customer.

    A customer whose id begins with `test-declined` is declined. For one whose id begins with
    `test-unavailable-N` the provider is unavailable N times for each order. Payment services
    offer test cards in the same way.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refusals: Counter[str] = Counter()

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Enter a charge in the ledger, once."""
        self._be_unavailable(order_id, customer_id)
        if customer_id.startswith(DECLINED_CUSTOMERS):
            return False
        return await self._database.write(
            lambda connection: _charge(connection, order_id, amount_cents)
        )

    async def refund(self, order_id: str) -> None:
        """Enter a refund of what was charged, once.

        If nothing was charged, a refund of zero prevents a charge that arrives later.
        """
        await self._database.write(lambda connection: _refund(connection, order_id))

    async def entries(self, order_id: str) -> list[Payment]:
        """Return the ledger of one order."""
        query = select(_ledger).where(_ledger.c.order_id == order_id).order_by(_ledger.c.number)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_payment(row) for row in rows]

    async def ledger(self, limit: int, before: int | None) -> list[Payment]:
        """Return the whole ledger, newest first."""
        query = select(_ledger).order_by(_ledger.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(_ledger.c.number < before)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_payment(row) for row in rows]

    def _be_unavailable(self, order_id: str, customer_id: str) -> None:
        if not customer_id.startswith(UNAVAILABLE_CUSTOMERS):
            return
        times = customer_id.removeprefix(UNAVAILABLE_CUSTOMERS).split("-")[0]
        if times.isdecimal() and self._refusals[order_id] < int(times):
            self._refusals[order_id] += 1
            raise PaymentUnavailable(f"the provider does not answer for {customer_id}")


_SELECT_ENTRIES = select(_ledger.c.kind, _ledger.c.amount_cents).where(
    _ledger.c.order_id == bindparam("order_id")
)
_INSERT_ENTRY = insert(_ledger)


def _entries(connection: Connection, order_id: str) -> dict[str, int]:
    rows = connection.execute(_SELECT_ENTRIES, {"order_id": order_id})
    return {row.kind: row.amount_cents for row in rows}


def _charge(connection: Connection, order_id: str, amount_cents: int) -> bool:
    entries = _entries(connection, order_id)
    if "refund" in entries:
        return False
    if "charge" not in entries:
        _enter(connection, order_id, "charge", amount_cents)
    return True


def _refund(connection: Connection, order_id: str) -> None:
    entries = _entries(connection, order_id)
    if "refund" not in entries:
        _enter(connection, order_id, "refund", entries.get("charge", 0))


def _enter(connection: Connection, order_id: str, kind: str, amount_cents: int) -> None:
    connection.execute(
        _INSERT_ENTRY,
        {"order_id": order_id, "kind": kind, "amount_cents": amount_cents, "at": now()},
    )


def _payment(row: Row[Any]) -> Payment:
    return Payment(row.number, row.order_id, row.kind, row.amount_cents, row.at)
