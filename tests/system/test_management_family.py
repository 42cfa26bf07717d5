"""The management of workflows that the product has none of: with children, failing, changed.

A worker of the test's own, with its own sidecar on the platform's engine, runs them. What manages
them is orders' own code, from the HTTP path down to the sidecar.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from fakes.access import opened
from fakes.orders_ports import MemoryEngine
from orderflow_contracts.names import ORDERS
from orderflow_hosting.database import Database
from orderflow_tools import kept
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK, AppPorts, Ports
from orders.api import http_app
from orders.config import OrdersSettings
from orders.engine import DaprEngine
from orders.management import Management
from orders.order_undo import OrderUndo
from orders.store import TABLES, OrderStore
from orders.workflow_api import workflow_router
from system.shop import wait_for
from system.workflows import expect, new_suffix

APP = "family"
SIDECAR = "family-daprd"


class Family:
    """The worker and its sidecar."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.ports: AppPorts = Ports.free_block().apps[ORDERS]
        self._worker: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the sidecar, then the worker."""
        settings = self._platform.settings
        made, control = settings.run / "components", settings.ports.control
        folder = settings.run / APP
        folder.mkdir()
        store = yaml.safe_load((made / "workflow-store.yaml").read_text())
        store.pop("scopes")
        (folder / "workflow-store.yaml").write_text(yaml.safe_dump(store))
        ports = self.ports
        command = [
            str(self._platform.runtime.daprd),
            *("--app-id", APP),
            *("--resources-path", str(folder)),
            *("--config", str(made / "configuration.yaml")),
            *("--placement-host-address", f"{LOOPBACK}:{control.placement}"),
            *("--scheduler-host-address", f"{LOOPBACK}:{control.scheduler}"),
            *("--dapr-listen-addresses", LOOPBACK),
            *("--dapr-http-port", str(ports.dapr_http), "--dapr-grpc-port", str(ports.dapr_grpc)),
            *("--dapr-internal-grpc-port", str(ports.dapr_internal_grpc)),
            *("--dapr-internal-grpc-listen-address", LOOPBACK),
            *("--metrics-port", str(ports.dapr_metrics), "--metrics-listen-address", LOOPBACK),
        ]
        self._sidecar = kept.start(settings, SIDECAR, command, self._platform.environment())
        wait_for("the sidecar of the family", self._answers)
        self.start_worker()

    def start_worker(self, *variant: str) -> None:
        """Start the worker, or put another variant of it in its place."""
        self.stop_worker()
        script = Path(__file__).parent / "family_worker.py"
        with self._platform.log(APP).open("a") as log:
            self._worker = subprocess.Popen(
                [sys.executable, str(script), str(self.ports.dapr_grpc), *variant],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._worker.stdout is not None
        assert self._worker.stdout.readline() == "ready\n", self._platform.log(APP).read_text()

    def stop_worker(self) -> None:
        """Stop the worker in good order."""
        if self._worker is not None:
            self._worker.communicate(timeout=30)
            self._worker = None

    def stop(self) -> None:
        """Stop both."""
        self.stop_worker()
        kept.stop(self._platform.settings, [SIDECAR])
        self._sidecar.wait()

    def begin(self, workflow: str) -> str:
        """Start a workflow through the sidecar and return its id."""
        instance_id = f"{workflow}-{new_suffix()}"
        url = f"http://{LOOPBACK}:{self.ports.dapr_http}/v1.0/workflows/dapr/{workflow}/start"
        response = httpx.post(url, params={"instanceID": instance_id}, trust_env=False)
        assert response.status_code == 202, response.text
        return instance_id

    def _answers(self) -> bool:
        url = f"http://{LOOPBACK}:{self.ports.dapr_http}/v1.0/healthz"
        try:
            return httpx.get(url, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def family(platform: Platform) -> Iterator[Family]:
    family = Family(platform)
    try:
        family.start()
        yield family
    finally:
        family.stop()


@pytest.fixture
async def http(family: Family, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Manage the family through orders' HTTP paths."""
    database = Database(f"sqlite:///{tmp_path}/orders.db", TABLES)
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
    management = Management(engine, store, undo, counter_pause_seconds=1)
    transport = httpx.ASGITransport(
        opened(http_app(workflow_router(management))), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(
        transport=transport, base_url="http://orders/workflows", timeout=60
    ) as client:
        yield client
    await engine.close()
    database.close()


async def status(http: httpx.AsyncClient, instance_id: str) -> Any:
    return expect(await http.get(f"/{instance_id}/status"), 200)


async def instances(http: httpx.AsyncClient) -> list[Any]:
    response = await http.get("http://orders/workflows", params={"limit": 500})
    return list(expect(response, 200)["items"])


async def until_it_is_there(http: httpx.AsyncClient, instance_id: str) -> None:
    async with asyncio.timeout(30):
        while (await http.get(f"/{instance_id}/status")).status_code != 200:
            await asyncio.sleep(0.05)


async def finished(http: httpx.AsyncClient, instance_id: str) -> Any:
    return expect(await http.get(f"/{instance_id}/wait"), 200)


async def begin_family(family: Family, http: httpx.AsyncClient) -> list[str]:
    """Start three generations, and return their ids when all are there."""
    first = family.begin("parent")
    generations = [first, f"{first}-child", f"{first}-child-child"]
    for instance_id in generations:
        await until_it_is_there(http, instance_id)
    return generations


async def test_a_termination_ends_the_children_too(family: Family, http: httpx.AsyncClient) -> None:
    """Whoever ends the parent during a child leaves no orphan; and a purge forgets all of them."""
    generations = await begin_family(family, http)
    for instance_id in generations:
        assert (await status(http, instance_id))["runtime_status"] == "RUNNING"

    expect(await http.post(f"/{generations[0]}/terminate", json="over"), 202)

    for instance_id in generations:
        assert (await finished(http, instance_id))["runtime_status"] == "TERMINATED"
    expect(await http.post(f"/{generations[0]}/purge"), 202)
    for instance_id in generations:
        expect(await http.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")


async def test_a_purge_forgets_the_children_that_completed(
    family: Family, http: httpx.AsyncClient
) -> None:
    """None of them is listed afterwards."""
    generations = await begin_family(family, http)
    expect(await http.post(f"/{generations[0]}/purge"), 409, "WORKFLOW_STILL_RUNNING")
    expect(await http.post(f"/{generations[1]}/raise_event/go_on", json=1), 202)
    expect(await http.post(f"/{generations[2]}/raise_event/go_on", json=2), 202)
    assert (await finished(http, generations[0]))["output"] == [1, 2]
    listed = {item["instance_id"] for item in await instances(http)}
    assert listed >= set(generations)

    expect(await http.post(f"/{generations[0]}/purge"), 202)

    listed = {item["instance_id"] for item in await instances(http)}
    assert not listed & set(generations)


async def test_the_story_of_a_parent_tells_of_its_child(
    family: Family, http: httpx.AsyncClient
) -> None:
    """When it was started, by its name, and what came of it."""
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
    """It is the step that failed, not the one before."""
    failed = await finished(http, family.begin("failing"))

    assert failed["runtime_status"] == "FAILED"
    assert failed["failure"]["code"] == "ACTIVITY_EXECUTION_FAILED"
    assert failed["failure"]["activity"] == "bad_step"
    assert "this step always fails" in failed["failure"]["message"]
    history = (await http.get(f"/{failed['instance_id']}/history")).json()["items"]
    told = next(event for event in history if event["type"] == "task_failed")
    assert (told["name"], told["error"]) == ("bad_step", "ValueError: this step always fails")


async def test_a_change_that_does_not_fit_the_history_is_told(
    family: Family, http: httpx.AsyncClient
) -> None:
    """An instance that was begun before the change fails with a code of its own."""
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
