"""Stock levels for pages, which also work while inventory does not respond."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import grpc.aio
import structlog

from orderflow_contracts.inventory import RestockRequest, Stock
from orderflow_hosting.problems import Problem

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WHOLE: Final = 100.0


class StockGateway(Protocol):
    """The methods of inventory that pages use."""

    async def stock(self) -> Stock:
        """Return the stock levels."""
        ...

    async def restock(self, request: RestockRequest) -> Stock:
        """Add stock."""
        ...


class Stocks:
    """Reads and adds stock; the stock is unknown while inventory does not respond."""

    def __init__(self, inventory: StockGateway) -> None:
        self._inventory = inventory

    async def read(self) -> Stock | None:
        """Return the stock, or None while inventory does not respond."""
        try:
            return await self._inventory.stock()
        except (grpc.aio.AioRpcError, Problem) as error:
            log.warning("stock_unknown", why=_why(error))
            return None

    async def add(self, request: RestockRequest) -> None:
        """Add stock. Raises `Problem`."""
        try:
            await self._inventory.restock(request)
        except grpc.aio.AioRpcError as error:
            detail = f"inventory did not respond: {_why(error)}; check whether the stock was added"
            raise Problem(503, "INVENTORY_UNAVAILABLE", detail) from error


@dataclass(frozen=True)
class Level:
    """The quantities of an item: available, reserved and sold.

    Every `…_part` is a percentage of their sum.
    """

    item: str
    on_hand: int
    reserved: int
    available: int
    sold: int
    unit_price_cents: int | None

    @property
    def _all(self) -> int:
        return max(self.available, 0) + self.reserved + self.sold

    @property
    def available_part(self) -> float:
        """The share that can be ordered."""
        return _part(self.available, self._all)

    @property
    def reserved_part(self) -> float:
        """The share that is reserved."""
        return _part(self.reserved, self._all)

    @property
    def sold_part(self) -> float:
        """The share that was sold."""
        return _part(self.sold, self._all)


def levels(stock: Stock, sold: Mapping[str, int]) -> list[Level]:
    """Join stock and sales by item."""
    return [
        Level(
            item=each.item,
            on_hand=each.on_hand,
            reserved=each.reserved,
            available=each.available,
            sold=sold.get(each.item, 0),
            unit_price_cents=each.unit_price_cents,
        )
        for each in stock.items
    ]


def _part(quantity: int, whole: int) -> float:
    return round(WHOLE * max(quantity, 0) / whole, 2) if whole else 0.0


def _why(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return str(error.details() or error.code().name)
    return str(error)
