"""Management of workflows that the product does not have: with children, failing, changed.

The tests' own worker, with its own sidecar on the platform's engine, runs them. They are managed by
the code of orders, from the HTTP path down to the sidecar.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.access import opened
from fakes.orders_ports import MemoryEngine
from fakes.schemas import FromModels
from orderflow_hosting.database import Database
from orderflow_tools.platform import Platform
from orderflow_workflow_runtime.client import DaprEngine
from orders.config import OrdersSettings
from orders.http import http_app
from orders.management.api import workflow_router
from orders.management.index import InstanceIndex
from orders.management.service import Management
from orders.management.sweeping import Sweep
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.tables import TABLES
from system.family import Family
from system.workflows import expect


@pytest.fixture(scope="module")
def family(platform: Platform) -> Iterator[Family]:
    family = Family(platform)
    try:
        family.start()
        family.start_worker()
        yield family
    finally:
        family.stop()


@pytest.fixture
async def managed(family: Family, tmp_path: Path) -> AsyncIterator[tuple[Management, Sweep]]:
    """Manage the workflows with an index; the family's own worker is not observed."""
    database = Database(f"sqlite:///{tmp_path}/orders.db", FromModels(TABLES))
    engine = DaprEngine(
        OrdersSettings.model_validate(
            {
                "APP_API_TOKEN": "a-token-for-tests",
                "DAPR_HTTP_PORT": family.ports.dapr_http,
                "DAPR_GRPC_PORT": family.ports.dapr_grpc,
            }
        )
    )
    store = OrderStore(database)
    undo = OrderUndo(MemoryEngine(), store)
    index = InstanceIndex(database)
    management = Management(engine, store, undo, index=index, counter_pause_seconds=1)
    yield management, Sweep(engine, index)
    await engine.close()
    database.close()


@pytest.fixture
async def http(managed: tuple[Management, Sweep]) -> AsyncIterator[httpx.AsyncClient]:
    """Manage the workflows over orders' HTTP paths."""
    management, _ = managed
    transport = httpx.ASGITransport(
        opened(http_app(workflow_router(management))), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(
        transport=transport, base_url="http://orders/workflows", timeout=60
    ) as client:
        yield client


async def status(http: httpx.AsyncClient, instance_id: str) -> Any:
    return expect(await http.get(f"/{instance_id}/status"), 200)


async def instances(http: httpx.AsyncClient) -> list[Any]:
    response = await http.get("http://orders/workflows", params={"limit": 500})
    return list(expect(response, 200)["items"])


async def wait_until_started(http: httpx.AsyncClient, instance_id: str) -> None:
    async with asyncio.timeout(30):
        while (await http.get(f"/{instance_id}/status")).status_code != 200:
            await asyncio.sleep(0.05)


async def finished(http: httpx.AsyncClient, instance_id: str) -> Any:
    return expect(await http.get(f"/{instance_id}/wait"), 200)


async def begin_family(family: Family, http: httpx.AsyncClient) -> list[str]:
    """Start three generations, and return their ids once all have started."""
    first = family.begin("parent")
    generations = [first, f"{first}-child", f"{first}-child-child"]
    for instance_id in generations:
        await wait_until_started(http, instance_id)
    return generations


async def test_termination_also_ends_the_children(family: Family, http: httpx.AsyncClient) -> None:
    """Terminating the parent leaves no running child, and a purge removes all of them."""
    generations = await begin_family(family, http)
    for instance_id in generations:
        assert (await status(http, instance_id))["runtime_status"] == "RUNNING"

    expect(await http.post(f"/{generations[0]}/terminate", json="over"), 202)

    for instance_id in generations:
        assert (await finished(http, instance_id))["runtime_status"] == "TERMINATED"
    expect(await http.post(f"/{generations[0]}/purge"), 202)
    for instance_id in generations:
        expect(await http.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")


async def test_a_purge_removes_completed_children(
    family: Family, http: httpx.AsyncClient, managed: tuple[Management, Sweep]
) -> None:
    """None of them is listed afterwards."""
    _, sweep = managed
    generations = await begin_family(family, http)
    expect(await http.post(f"/{generations[0]}/purge"), 409, "WORKFLOW_STILL_RUNNING")
    expect(await http.post(f"/{generations[1]}/raise_event/go_on", json=1), 202)
    expect(await http.post(f"/{generations[2]}/raise_event/go_on", json=2), 202)
    assert (await finished(http, generations[0]))["output"] == [1, 2]
    await sweep.round()
    listed = {item["instance_id"] for item in await instances(http)}
    assert listed >= set(generations)

    expect(await http.post(f"/{generations[0]}/purge"), 202)

    listed = {item["instance_id"] for item in await instances(http)}
    assert not listed & set(generations)


async def test_a_parents_history_shows_its_child(family: Family, http: httpx.AsyncClient) -> None:
    """It gives the child's name, start and result."""
    generations = await begin_family(family, http)
    for instance_id in generations[1:]:
        await http.post(f"/{instance_id}/raise_event/go_on", json=0)
    await finished(http, generations[0])

    history = expect(await http.get(f"/{generations[0]}/history"), 200)["items"]

    created = next(e for e in history if e["type"] == "child_workflow_instance_created")
    completed = next(e for e in history if e["type"] == "child_workflow_instance_completed")
    assert created["name"] == completed["name"] == "child"
    assert completed["output"] == [0, 0]
    assert completed["duration_seconds"] > 0


async def test_a_failed_workflow_names_the_activity_and_the_reason(
    family: Family, http: httpx.AsyncClient
) -> None:
    """It names the step that failed, not the one before."""
    failed = await finished(http, family.begin("failing"))

    assert failed["runtime_status"] == "FAILED"
    assert failed["failure"]["code"] == "ACTIVITY_EXECUTION_FAILED"
    assert failed["failure"]["activity"] == "bad_step"
    assert "this step always fails" in failed["failure"]["message"]
    history = (await http.get(f"/{failed['instance_id']}/history")).json()["items"]
    failure = next(event for event in history if event["type"] == "task_failed")
    assert (failure["name"], failure["error"]) == ("bad_step", "ValueError: this step always fails")


async def test_a_change_that_does_not_fit_the_history_has_its_own_error_code(
    family: Family, http: httpx.AsyncClient
) -> None:
    """An instance that was started before the change fails with this code."""
    instance_id = family.begin("changing")
    async with asyncio.timeout(30):
        while "task_completed" not in (await http.get(f"/{instance_id}/history")).text:
            await asyncio.sleep(0.05)
    await asyncio.to_thread(family.start_worker, "changed")
    try:
        expect(await http.post(f"/{instance_id}/raise_event/go_on"), 202)
        failed = await finished(http, instance_id)
    finally:
        await asyncio.to_thread(family.start_worker)

    assert failed["runtime_status"] == "FAILED"
    assert failed["failure"]["code"] == "NON_DETERMINISTIC"
