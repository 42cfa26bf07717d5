"""What a page of workflow instances costs: the same, however many instances there are."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Select, insert

from fakes.schemas import FromModels
from orderflow_hosting.engines import open_engine
from orderflow_workflow_runtime.instances import RuntimeStatus
from orders.management.paging import page_query, position_of
from orders.management.records import Entry, InstanceFilter
from orders.management.tables import INSTANCES
from orders.tables import TABLES

HELLO = "interactive_hello_workflow"
ORDER = "order_processing_workflow"
START = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FEW: Final = 500
MANY: Final = 50_000
FULL_PAGE: Final = 50
COUNTED_AT_EACH: Final = 50
"""The virtual machine's steps are counted in portions."""
SOME_TIME: dict[str, Any] = {
    "created_from": START + 100 * SECOND,
    "created_before": START + 450 * SECOND,
}
BY_STATUS: dict[str, Any] = {"status": RuntimeStatus.COMPLETED}
BY_NAME: dict[str, Any] = {"name": ORDER}
RARE: dict[str, Any] = {"status": RuntimeStatus.FAILED, "name": HELLO}
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status": BY_STATUS,
    "name": BY_NAME,
    "both": BY_STATUS | BY_NAME,
    "rare": RARE,
    "time": SOME_TIME,
    "time and status": SOME_TIME | BY_STATUS,
    "time and name": SOME_TIME | BY_NAME,
    "all": SOME_TIME | BY_STATUS | BY_NAME,
    "rare, in time": SOME_TIME | RARE,
    "from a time on": {"created_from": START + 300 * SECOND},
}


def seeded(count: int) -> Iterator[Entry]:
    """Make entries of which half have the rare name, and half the rare status, but none both."""
    for number in range(count):
        is_hello = number % 2 == 0
        at = START + SECOND * number
        yield Entry(
            instance_id=f"i{number:06}",
            name=HELLO if is_hello else ORDER,
            status=RuntimeStatus.COMPLETED if is_hello or number % 4 == 1 else RuntimeStatus.FAILED,
            created_at=at,
            last_updated_at=at,
            seen_at=at,
        )


@dataclass(frozen=True)
class Cost:
    """What a page took: its rows, the steps of SQLite's virtual machine, and the plan."""

    rows: int
    steps: int
    plan: str


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, int], Cost]:
    """Return the cost of each list, for few and for many instances."""
    folder: Path = tmp_path_factory.mktemp("costs")
    found: dict[tuple[str, int], Cost] = {}
    for count in (FEW, MANY):
        engine = open_engine(f"sqlite:///{folder}/{count}.db")
        with engine.connect() as connection:
            FromModels(TABLES).check(connection)
            connection.execute(insert(INSTANCES), [row_of(entry) for entry in seeded(count)])
            connection.commit()
            for name, filters in FILTERS.items():
                found[name, count] = cost_of(connection, InstanceFilter(**filters))
        engine.dispose()
    return found


def row_of(entry: Entry) -> dict[str, Any]:
    return {**vars(entry), "status": entry.status.value, "is_finished": True}


def cost_of(connection: Connection, wanted: InstanceFilter) -> Cost:
    """Read a page in the middle of a list."""
    middle = Entry.unreadable("i000150", START + 150 * SECOND)
    query = page_query(wanted, position_of(wanted, middle)).limit(FULL_PAGE + 1)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += COUNTED_AT_EACH

    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_progress_handler(count, COUNTED_AT_EACH)
    rows = len(connection.execute(query).all())
    driver.set_progress_handler(None, 0)
    return Cost(rows, steps, plan_of(connection, query))


def plan_of(connection: Connection, query: Select[Any]) -> str:
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")
    return "; ".join(row.detail for row in explained)


@pytest.mark.parametrize("name", FILTERS)
def test_a_page_costs_the_same_with_a_hundred_times_as_many_instances(
    costs: Mapping[tuple[str, int], Cost], name: str
) -> None:
    """Whether a filter matches all instances, some or none."""
    few, many = costs[name, FEW], costs[name, MANY]

    assert many.steps <= few.steps + 10 * COUNTED_AT_EACH
    assert few.rows == many.rows == (0 if "rare" in name else FULL_PAGE + 1)


@pytest.mark.parametrize("name", FILTERS)
def test_a_list_follows_an_index(costs: Mapping[tuple[str, int], Cost], name: str) -> None:
    """SQLite's plan scans nothing and sorts nothing."""
    plan = costs[name, MANY].plan

    assert plan.startswith("SEARCH workflow_instances USING INDEX")
    assert ";" not in plan
