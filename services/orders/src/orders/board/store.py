"""The queries of the board: search, counts by status, and quantities sold."""

from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import select

from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.database import Database
from orders.board.search import OrderFilter, OrderPage, search_within
from orders.board.tables import COUNTS, LINES_LEFT, SALES, fill_lines
from orders.tables import BATCH_ORDERS, ORDERS

FILLED_AT_ONCE: Final = 500


class BoardStore:
    """The tables of the board. The cost of a query does not grow with the number of orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> dict[OrderStatus, int]:
        """Return the number of orders in each status."""
        rows = await self._database.read(
            lambda connection: connection.execute(select(COUNTS)).all()
        )
        counts = {str(row.status): int(row.orders) for row in rows}
        return {status: counts.get(status.value, 0) for status in OrderStatus}

    async def sold(self) -> dict[str, int]:
        """Return the quantity sold of each item."""
        query = select(SALES)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {str(row.item): int(row.pieces) for row in rows}

    async def search(self, wanted: OrderFilter, limit: int, after: str | None = None) -> OrderPage:
        """Return up to `limit` matching orders: newest first, or by id if that is searched.

        A page may have fewer orders, or none, and still be followed by another, because a query
        examines at most `LOOKED_THROUGH` orders. `after` is the position where the previous page
        ended. Raises ValueError for a position that no search returned.
        """
        return await self._database.read(
            partial(search_within, wanted=wanted, limit=limit, after=after)
        )

    async def newest(self) -> int:
        """Return the number of the newest order, 0 if there is none."""
        query = select(ORDERS.c.number).order_by(ORDERS.c.number.desc()).limit(1)
        return await self._database.read(lambda connection: connection.scalar(query)) or 0

    async def batch_of(self, order_id: str) -> str | None:
        """Return the id of the batch that an order belongs to, or None."""
        query = select(BATCH_ORDERS.c.batch_id).where(
            BATCH_ORDERS.c.order_id == order_id,
            BATCH_ORDERS.c.is_owner,
        )
        return await self._database.read(lambda connection: connection.scalar(query))

    async def cancel_requested_at(self, order_id: str) -> datetime | None:
        """Return when the cancellation of an order was requested, or None."""
        query = select(ORDERS.c.cancel_requested_at).where(ORDERS.c.order_id == order_id)
        return await self._database.read(lambda connection: connection.scalar(query))

    async def is_whole(self) -> bool:
        """Whether a search by item also finds the orders of earlier versions."""
        query = select(LINES_LEFT.c.through)
        return (await self._database.read(lambda connection: connection.scalar(query)) or 0) <= 0

    async def fill(self) -> None:
        """Index the items of all orders of earlier versions, a few at a time."""
        while await self._database.write(partial(fill_lines, most=FILLED_AT_ONCE)):
            pass
