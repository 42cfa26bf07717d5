"""Measures what the doctor costs with many orders in the tables: time, memory, and queries.

    cd tests && ../.venv/bin/python -m doctor_bench 100000

The tables are seeded; the engine and the other services are in memory, so that what is measured is
the service's own work. Of a hundred orders two have not ended, and each has a reservation.
"""

import asyncio
import resource
import sys
import tempfile
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert

from fakes.doctored import TOTAL_CENTS, Doctored
from fakes.schemas import migrated
from orderflow_contracts.fields import now
from orderflow_contracts.inventory import RestockRequest
from orderflow_contracts.orders import OrderLine, OrderStatus
from orderflow_hosting.database import Database
from orderflow_hosting.doctor import Doctor, Reconciler
from orders import workflow_names as names
from orders.config import OrdersSettings
from orders.tables import ORDERS, SCHEMA, TABLES

UNFINISHED_OF: Final = 50
AT_ONCE: Final = 5_000


def rows(first: int, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return orders and charges: one of `UNFINISHED_OF` has not ended, one of ten was refused."""
    at = now() - timedelta(hours=1)
    orders, charges = [], []
    for number in range(first, first + count):
        order_id = f"seeded-{number}"
        is_open = number % UNFINISHED_OF == 0
        is_refused = not is_open and number % 10 == 1
        ended = OrderStatus.REJECTED if is_refused else OrderStatus.COMPLETED
        orders.append(
            {
                "order_id": order_id,
                "customer_id": "alice",
                "lines": [{"item": "paperclip", "quantity": 1}],
                "status": (OrderStatus.RESERVED if is_open else ended).value,
                "total_cents": TOTAL_CENTS,
                "sequence": 2,
                "run_id": f"{number:032x}",
                "created_at": at,
                "updated_at": at,
            }
        )
        if not is_open and not is_refused:
            charges.append({"order_id": order_id, "kind": "charge", "amount_cents": 500, "at": at})
    return orders, charges


async def seed(shop: Doctored, database: Database, count: int) -> None:
    """Fill the tables, the engine and the stock."""
    payments = TABLES.tables["payments"]
    for first in range(0, count, AT_ONCE):
        orders, charges = rows(first, min(AT_ONCE, count - first))

        def write(connection: Connection, orders: Any = orders, charges: Any = charges) -> None:
            connection.execute(insert(ORDERS), orders)
            connection.execute(insert(payments), charges)

        await database.write(write)
        for order in orders:
            if order["status"] == OrderStatus.RESERVED:
                order_id, run_id = order["order_id"], order["run_id"]
                shop.engine.put(order_id, name=names.ORDER_PROCESSING, payload={"run_id": run_id})
                await shop.reserve(order_id, [OrderLine(item="paperclip", quantity=1)])
            else:
                shop.engine.put(order["order_id"], name=names.ORDER_PROCESSING)


async def measure(count: int, folder: Path) -> None:
    """Seed the tables and print what a look and a round of the reconciler cost."""
    database = Database(migrated(f"sqlite:///{folder}/orders.db", SCHEMA), SCHEMA)
    await database.ready()
    settings = OrdersSettings.model_validate({"APP_API_TOKEN": "a-token-for-a-benchmark"})
    shop = Doctored(database, settings)
    await shop.inventory.open()
    await shop.inventory.service.restock(RestockRequest(item="paperclip", quantity=1_000_000))
    await seed(shop, database, count)
    print(f"{count:,} orders, {count // UNFINISHED_OF:,} of them not ended")
    for check in shop.checks:
        began, cpu = time.perf_counter(), time.process_time()
        await Doctor([check]).diagnose()
        took, used = time.perf_counter() - began, time.process_time() - cpu
        print(f"  {check.name:40} {took * 1000:8.0f} ms, CPU {used * 1000:8.0f} ms")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    diagnosis = await Doctor(shop.checks).diagnose()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"the doctor: {took:.1f} s, agrees: {diagnosis.agrees}, memory +{after - before:,} KiB")
    tracemalloc.start()
    await Doctor(shop.checks).diagnose()
    print(f"  allocated at most: {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")
    tracemalloc.stop()
    reconciler = Reconciler(shop.checks, database)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(10):
        await reconciler.run_round()
    used = (time.process_time() - cpu) / 10
    print(
        f"a round of the reconciler: {(time.perf_counter() - began) / 10:.3f} s, CPU {used:.3f} s"
    )
    database.close()


def main() -> None:
    """Measure with as many orders as the argument says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(count, Path(folder)))


if __name__ == "__main__":
    main()
