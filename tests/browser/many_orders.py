"""Any number of orders, written directly into the tables of a running platform."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import create_engine, insert

from orderflow_contracts.orders import OrderStatus
from orderflow_tools.platform import Platform
from orders.tables import TABLES

ORDERS: Final = TABLES.tables["orders"]
STATUSES: Final = TABLES.tables["order_statuses"]
ENDS: Final = (OrderStatus.COMPLETED, OrderStatus.REJECTED, OrderStatus.CANCELLED)
ITEMS: Final = ("paperclip", "cars", "computers")


def fill_shop(platform: Platform, first: int, count: int) -> None:
    """Write this many finished orders, numbered from `first`."""
    begun = datetime.now(UTC) - timedelta(days=30) + timedelta(seconds=first)
    orders = [_order(number, begun) for number in range(first, first + count)]
    engine = create_engine(f"sqlite:///{platform.settings.data / 'orders.db'}")
    with engine.begin() as connection:
        connection.execute(insert(ORDERS), orders)
        connection.execute(insert(STATUSES), [change for o in orders for change in _changes(o)])
    engine.dispose()


def _order(number: int, begun: datetime) -> dict[str, Any]:
    end = ENDS[number % len(ENDS)]
    at = begun + timedelta(seconds=number)
    return {
        "order_id": f"old-{number:06}",
        "customer_id": f"customer {number % 5}",
        "lines": [{"item": ITEMS[number % len(ITEMS)], "quantity": 1 + number % 9}],
        "status": end.value,
        "reason": "out_of_stock" if end is OrderStatus.REJECTED else None,
        "total_cents": 500 * (1 + number % 9),
        "sequence": 2,
        "run_id": f"{number:032x}",
        "created_at": at,
        "updated_at": at,
    }


def _changes(order: dict[str, Any]) -> list[dict[str, Any]]:
    common = {"order_id": order["order_id"], "at": order["created_at"]}
    received = {"status": OrderStatus.RECEIVED.value, "reason": None, "total_cents": None}
    ended = {key: order[key] for key in ("status", "reason", "total_cents")}
    return [{**common, "sequence": 1, **received}, {**common, "sequence": 2, **ended}]
