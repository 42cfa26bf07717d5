"""Orders in a database of the version before cancellations and charges were decided on one row."""

import shutil
from dataclasses import replace
from pathlib import Path

from sqlalchemy import MetaData, Table, create_engine, insert, inspect

from fakes.schemas import migrated
from orderflow_contracts.fields import now
from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.database import Database
from orders.ordering.store import OrderStore
from orders.tables import SCHEMA

LINES = [{"item": "cars", "quantity": 1}]


async def test_orders_of_the_version_before_are_carried_on(tmp_path: Path) -> None:
    """Their runs, if they have one, still own them; the new columns are empty."""
    versions = tmp_path / "versions"
    shutil.copytree(SCHEMA.versions, versions)
    for later in [each for each in versions.glob("r*.py") if each.name >= "r0008"]:
        later.unlink()
    url = migrated(f"sqlite:///{tmp_path}/orders.db", replace(SCHEMA, versions=versions))
    engine = create_engine(url)
    assert "compensation" not in [each["name"] for each in inspect(engine).get_columns("orders")]
    orders = Table("orders", MetaData(), autoload_with=engine)
    row = {"customer_id": "alice", "lines": LINES, "created_at": now(), "updated_at": now()}
    with engine.begin() as connection:
        for order_id, status, run_id in (("a", "received", None), ("b", "reserved", "its-run")):
            values = {**row, "order_id": order_id, "status": status, "run_id": run_id}
            connection.execute(insert(orders).values(**values, sequence=1))
    engine.dispose()

    database = Database(migrated(url, SCHEMA), SCHEMA)
    try:
        store = OrderStore(database)
        left = [
            (each.order.order_id, each.status, each.run_id) for each in await store.unfinished()
        ]
        assert left == [("a", "received", None), ("b", "reserved", "its-run")]
        assert await store.cancels_to_hand_over() == []
        assert await store.may_belong_to("a", "any")
        assert not await store.may_belong_to("b", "any")

        cancelled = await store.request_cancel("b")

        assert cancelled is not None
        assert cancelled.is_before_charge
        assert await store.cancels_to_hand_over() == []
        assert await store.end_cancelled("b") is not None
        assert await store.cancels_to_hand_over() == ["b"]
        await store.record("b", "its-run", OrderStatus.CANCELLED)
        assert [each.order.order_id for each in await store.unfinished()] == ["a"]
    finally:
        database.close()
