"""What the doctor finds on a running platform, and what is healed without a restart of orders.

All tests share one platform, and each leaves it agreeing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, new_id, wait_for
from system.stores import Isolated

DISAGREES = 5


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    with Platform(isolated(tmp_path_factory.mktemp("doctor"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


def doctor(shop: Shop, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and its result."""
    urls = {
        f"ORDERFLOW_{app.upper()}_URL": shop.platform.url(app)
        for app in ("orders", "inventory", "approvals")
    }
    command = Path(sys.executable).parent / "orderflow"
    done = subprocess.run(  # our own command
        [command, "doctor", "--json", *arguments],
        env={**os.environ, **urls},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def agrees(shop: Shop) -> bool:
    code, _ = doctor(shop)
    return code == 0


def test_a_lost_workflow_is_started_again_while_orders_goes_on(shop: Shop) -> None:
    """The engine's keys of an order that waits for approval are deleted, and the order completes.

    The sidecar is restarted, because it has the workflow in memory; orders is not.
    """
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    orders_pid = shop.platform.pid("orders")
    keys = [key for key in shop.broker.keys("*dapr.internal*") if order_id.encode() in key]
    assert keys
    sidecar_pid = shop.platform.kill("orders-daprd")
    shop.broker.delete(*keys)
    shop.platform.wait_for_restart("orders-daprd", sidecar_pid)

    def runs_again() -> bool:
        answer = shop.http.get(shop.url("orders", f"/workflows/{order_id}/status"))
        return answer.is_success and bool(answer.json()["input"]["begun_again"])

    wait_for("the order to run again", runs_again)
    assert shop.decide(order_id, approved=True).status_code == 200
    ended = shop.wait_final(order_id)

    assert ended["status"] == "completed"
    assert shop.platform.pid("orders") == orders_pid
    assert_records_agree(shop, [ended])
    wait_for("all to agree", lambda: agrees(shop))


def test_what_nobody_ordered_is_found_and_ended(shop: Shop) -> None:
    """A reservation and a workflow made by hand through the sidecars are gone after a fix."""
    before = shop.stock("computers")
    reserved, started = new_id("reserved"), new_id("started")
    lines = [{"item": "computers", "quantity": 5}]
    body = {"order_id": reserved, "lines": lines}
    assert shop.invoke("orders", "inventory", "reserve", body).is_success
    path = f"/v1.0/workflows/dapr/order_processing_workflow/start?instanceID={started}"
    url = f"{shop.platform.sidecar_url('orders')}{path}"
    made_up = {
        "order_id": started,
        "run_id": "made-up",
        "customer_id": "mallory",
        "lines": lines,
        "approval_threshold_cents": 1,
        "approval_timeout_seconds": 60,
        "retry_timeout_seconds": 60,
    }
    assert shop.http.post(url, json=made_up).is_success

    code, diagnosis = doctor(shop, "--order-id", reserved)
    assert code == DISAGREES
    assert [each["kind"] for each in diagnosis["findings"]] == ["reserved_without_order"]
    kinds = {each["about"]: each["kind"] for each in doctor(shop)[1]["findings"]}
    assert kinds.get(f"workflow {started}") == "unknown_instance"

    doctor(shop, "--fix")
    shop.http.post(shop.url("orders", f"/workflows/{started}/purge"))

    wait_for("all to agree", lambda: agrees(shop))
    assert shop.stock("computers") == before


def test_a_healthy_platform_agrees_under_load(shop: Shop) -> None:
    """Orders in flight are no disagreement, at any moment."""
    shop.restock()
    with ThreadPoolExecutor(8) as pool:
        placed = [pool.submit(shop.submit, "paperclip", 1) for _ in range(60)]
        first = doctor(shop)
        order_ids = [each.result() for each in placed]
        second = doctor(shop)
    ended = [shop.wait_final(order_id) for order_id in order_ids]

    assert (first, second) == ((0, {"agrees": True, "findings": []}),) * 2
    assert {each["status"] for each in ended} == {"completed"}
    assert agrees(shop)
