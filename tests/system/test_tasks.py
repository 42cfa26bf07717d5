"""Tasks on the real platform: completed in four ways, timed out, and as part of orders."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, new_id, wait_for
from system.stores import Isolated
from system.workflows import Workflows, expect, restart_orders

TASK = "task_processing_workflow"
DONE_AT = "2026-03-01T12:30:00Z"


@pytest.fixture(scope="module")
def picking_platform(
    tmp_path_factory: pytest.TempPathFactory, isolated: Isolated
) -> Iterator[Platform]:
    """Run a platform whose orders wait for picking."""
    settings = isolated(
        tmp_path_factory.mktemp("picking"),
        ORDERS_PICKING="awaited",
        ORDERS_PICKERS='["ann", "bob"]',
    )
    with Platform(settings) as running:
        yield running


@pytest.fixture
def picking(picking_platform: Platform) -> Iterator[Shop]:
    shop = Shop(picking_platform)
    shop.restock()
    yield shop
    shop.close()


def task_of(shop: Shop, task_id: str) -> dict[str, Any] | None:
    response = shop.http.get(shop.url("orders", f"/tasks/{task_id}"))
    return response.json() if response.status_code == 200 else None


def wait_task(shop: Shop, task_id: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        task = task_of(shop, task_id)
        return task if task and task["status"] == status else None

    return wait_for(f"{task_id} to be {status}", look)


def start_task(shop: Shop, **fields: Any) -> tuple[str, str]:
    task_id = new_id("task")
    body = {"task_id": task_id, "title": "Count the cars", **fields}
    started = expect(Workflows(shop).post(f"/{TASK}/start", body), 202)
    return task_id, started["instance_id"]


def complete(shop: Shop, task_id: str, body: Any = None) -> Any:
    return shop.http.post(shop.url("orders", f"/tasks/{task_id}/complete"), json=body)


def command(shop: Shop, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "orderflow"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "ORDERFLOW_ORDERS_URL": shop.platform.url("orders")},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("way", ["http", "topic", "event", "command"])
def test_a_task_can_be_completed_in_four_ways(picking: Shop, way: str) -> None:
    """Workflow management starts it; a person or a program completes it."""
    task_id, instance_id = start_task(picking, assignee="cleo")
    task = wait_task(picking, task_id, "assigned")
    assert (task["assignee"], task["instance_id"]) == ("cleo", instance_id)

    body = {"completed_at": DONE_AT}
    if way == "http":
        assert expect(complete(picking, task_id, body), 202)["task_id"] == task_id
    elif way == "topic":
        picking.publish("tasks.completed", {"task_id": task_id, **body})
    elif way == "event":
        expect(Workflows(picking).post(f"/{instance_id}/raise_event/task_completed", 7), 202)
        expect(Workflows(picking).post(f"/{instance_id}/raise_event/task_completed", body), 202)
    else:
        assert task_id in command(picking, "tasks", "--status", "assigned")
        command(picking, "tasks", "complete", task_id)

    task = wait_task(picking, task_id, "completed")
    if way != "command":
        assert task["completed_at"] == DONE_AT
    ended = Workflows(picking).finished(instance_id)
    assert ended["output"] == {
        "task_id": task_id,
        "status": "completed",
        "completed_at": task["completed_at"],
    }
    assert expect(complete(picking, task_id), 202) == task


def test_a_task_started_through_the_sidecar_may_lack_an_assignee(picking: Shop) -> None:
    """Any Dapr client may start a task; it is assigned to one of the pickers."""
    task_id = new_id("task")
    url = f"{picking.platform.sidecar_url('orders')}/v1.0-beta1/workflows/dapr/{TASK}/start"
    started = picking.http.post(
        f"{url}?instanceID={task_id}", json={"task_id": task_id, "title": "Sweep"}
    )
    assert started.status_code == 202, started.text

    assert wait_task(picking, task_id, "assigned")["assignee"] in {"ann", "bob"}
    complete(picking, task_id)
    wait_task(picking, task_id, "completed")


def test_a_task_times_out(picking: Shop) -> None:
    """After its deadline it cannot be completed."""
    task_id, instance_id = start_task(picking, timeout_seconds=0.5)

    output = Workflows(picking).finished(instance_id)["output"]

    assert output == {"task_id": task_id, "status": "timed_out", "completed_at": ""}
    assert wait_task(picking, task_id, "timed_out")["completed_at"] is None
    expect(complete(picking, task_id), 409, "TASK_ENDED")


def test_a_task_without_a_title_is_rejected(picking: Shop) -> None:
    """The workflow's result says so."""
    task_id, instance_id = start_task(picking, title=" ")

    assert Workflows(picking).finished(instance_id)["output"]["status"] == "rejected"
    assert task_of(picking, task_id)


@pytest.mark.parametrize(("refusals", "attempts"), [(2, 3), (3, 3)])
def test_an_assignment_is_attempted_three_times(
    picking: Shop, refusals: int, attempts: int
) -> None:
    """The history shows each attempt; after the last one the task and its workflow fail."""
    task_id, instance_id = start_task(picking, assignee=f"test-unavailable-{refusals}")
    wait_task(picking, task_id, "assigned" if refusals < 3 else "failed")

    events = [
        event["type"]
        for event in Workflows(picking).history(instance_id)
        if event["name"] == "assign_task"
    ]

    assert events.count("task_failed") == refusals
    assert events.count("task_failed") + events.count("task_completed") == attempts
    if refusals == 3:
        ended = Workflows(picking).finished(instance_id)
        assert ended["runtime_status"] == "FAILED"
        assert ended["failure"]["code"] == "ACTIVITY_EXECUTION_FAILED"
        assert ended["failure"]["activity"] == "assign_task"


def test_an_invalid_completion_becomes_a_dead_letter(picking: Shop) -> None:
    """So does a completion of a task that has ended otherwise."""
    ended, instance_id = start_task(picking, timeout_seconds=0.2)
    Workflows(picking).finished(instance_id)

    for data in ({"task_id": "no id!"}, {"task_id": ended}):
        picking.publish("tasks.completed", data)

        def arrived(data: dict[str, str] = data) -> bool:
            return bool(
                picking.dead_letters_with("orders", data["task_id"], topic="tasks.completed")
            )

        wait_for(f"{data} among the dead letters", arrived)


def test_a_completion_waits_for_its_task(picking: Shop) -> None:
    """It is parked until the order has its task, and then completes it."""
    order_id = new_id("early")
    task_id = f"pick-{order_id}"
    picking.publish("tasks.completed", {"task_id": task_id})

    def waiting() -> list[str]:
        found = picking.http.get(picking.url("orders", "/parked-events")).json()["items"]
        return [event["error"] for event in found if event["error"].endswith(f" {task_id}")]

    errors = wait_for("the completion to be parked", waiting)
    assert errors == [f"NotYetKnown: there is no task {task_id}"]

    picking.publish("orders.submitted", picking.order_data(order_id, "cars", 1))

    assert picking.wait_final(order_id)["status"] == "completed"
    wait_for("nothing to be parked", lambda: not waiting())
    assert not picking.dead_letters_with("orders", task_id, topic="tasks.completed")


def test_an_order_is_completed_after_its_task(picking: Shop) -> None:
    """Until the goods are picked, they stay reserved and paid."""
    order_id = picking.submit("cars", 2)
    task = wait_task(picking, f"pick-{order_id}", "assigned")
    assert (task["order_id"], task["title"]) == (order_id, f"Pick 2 cars for order {order_id}")
    order = picking.wait_status(order_id, "paid")

    complete(picking, task["task_id"])

    order = picking.wait_final(order_id)
    assert order["status"] == "completed"
    assert picking.stock("cars")["on_hand"] == 98
    assert_records_agree(picking, [order])


def test_a_cancelled_order_withdraws_its_task(picking: Shop) -> None:
    """Cancelling during picking refunds the payment."""
    order_id = picking.submit("cars", 2)
    wait_task(picking, f"pick-{order_id}", "assigned")

    expect(picking.http.post(picking.url("orders", f"/orders/{order_id}/cancel")), 202)

    order = picking.wait_final(order_id)
    assert (order["status"], order["reason"]) == ("cancelled", "cancelled_on_request")
    task = wait_task(picking, f"pick-{order_id}", "withdrawn")
    assert Workflows(picking).finished(task["instance_id"])["output"]["status"] == "withdrawn"
    assert picking.stock("cars")["available"] == 100
    assert_records_agree(picking, [order])


def test_an_approved_order_can_be_cancelled_during_picking(picking: Shop) -> None:
    """The cancellation is received by the wait for picking."""
    order_id = picking.submit("cars", 11)
    picking.wait_approval(order_id, "pending")
    picking.decide(order_id, approved=True)
    wait_task(picking, f"pick-{order_id}", "assigned")

    expect(picking.http.post(picking.url("orders", f"/orders/{order_id}/cancel")), 202)

    assert picking.wait_final(order_id)["status"] == "cancelled"
    wait_task(picking, f"pick-{order_id}", "withdrawn")


def test_a_terminated_order_withdraws_its_task(picking: Shop) -> None:
    """After an operator terminates the order's workflow, the rollback ends its task."""
    order_id = picking.submit("cars", 2)
    wait_task(picking, f"pick-{order_id}", "assigned")

    expect(Workflows(picking).post(f"/{order_id}/terminate", force="true"), 202)

    order = picking.wait_final(order_id)
    assert order["status"] == "cancelled"
    wait_task(picking, f"pick-{order_id}", "withdrawn")
    assert_records_agree(picking, [order])


def test_an_order_fails_if_its_task_is_terminated(picking: Shop) -> None:
    """If an operator terminates the task's workflow, the order is rolled back."""
    order_id = picking.submit("cars", 2)
    task = wait_task(picking, f"pick-{order_id}", "assigned")

    expect(Workflows(picking).post(f"/{task['instance_id']}/terminate"), 202)

    order = picking.wait_final(order_id)
    assert (order["status"], order["reason"]) == ("failed", "picking_unavailable")
    wait_task(picking, f"pick-{order_id}", "withdrawn")
    assert_records_agree(picking, [order])


def test_an_order_with_the_longest_id_has_a_task(picking: Shop) -> None:
    """The longer ids of its task and the task's workflow are valid."""
    order_id = new_id("o").ljust(64, "-")
    picking.submit_until_accepted(picking.order_data(order_id))
    wait_task(picking, f"pick-{order_id}", "assigned")

    expect(complete(picking, f"pick-{order_id}"), 202)

    assert picking.wait_final(order_id)["status"] == "completed"


def test_a_task_survives_a_kill_of_orders(picking: Shop) -> None:
    """Orders and its sidecar are killed while a task waits; the order completes afterwards."""
    order_id = picking.submit("paperclip", 2)
    wait_task(picking, f"pick-{order_id}", "assigned")

    restart_orders(picking.platform)
    expect(complete(picking, f"pick-{order_id}"), 202)

    order = picking.wait_final(order_id)
    assert order["status"] == "completed"
    assert_records_agree(picking, [order])


@pytest.mark.parametrize(
    "own_shop",
    [{"ORDERS_PICKING": "awaited", "ORDERS_PICKING_TIMEOUT_SECONDS": "1"}],
    indirect=True,
)
def test_an_order_fails_when_picking_times_out(own_shop: Shop) -> None:
    """The payment is refunded and the reservation released."""
    order = own_shop.wait_final(own_shop.submit("cars", 2))

    assert (order["status"], order["reason"]) == ("failed", "picking_timed_out")
    assert own_shop.stock("cars")["available"] == 100
    assert wait_task(own_shop, f"pick-{order['order_id']}", "timed_out")
    assert_records_agree(own_shop, [order])


@pytest.mark.parametrize("own_shop", [{"ORDERS_PICKING": "handed_over"}], indirect=True)
def test_an_order_does_not_wait_for_a_handed_over_task(own_shop: Shop) -> None:
    """The task stays open after its order has completed."""
    order = own_shop.wait_final(own_shop.submit("cars", 2))

    assert order["status"] == "completed"
    task_id = f"pick-{order['order_id']}"
    assert wait_task(own_shop, task_id, "assigned")["assignee"] == "warehouse"
    complete(own_shop, task_id)
    wait_task(own_shop, task_id, "completed")
