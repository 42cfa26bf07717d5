"""Record the golden histories again, on their own platform: `python tests/histories/record.py`.

With names of histories after it, only those are written.
"""

import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the tests' own modules are

from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.recorder import Recorder
from orders import workflow_names as names
from orders.own_instances import BATCHES, MONITORS, UNDOS
from system.shop import Shop, wait_for
from system.workflows import COUNTER, FAST, Workflows, expect, new_suffix

HERE: Final = Path(__file__).resolve().parent
PATIENCE_SECONDS: Final = 12
"""How long an order of this platform waits for its approval."""

Scene = Callable[[Workflows], str]


def completed(flows: Workflows) -> str:
    """A small order completes."""
    return end(flows, flows.shop.submit("paperclip", 2))


def declined(flows: Workflows) -> str:
    """The payment is declined, and the reservation released."""
    return end(flows, flows.shop.submit("paperclip", 1, "test-declined-1"))


def retried(flows: Workflows) -> str:
    """The payment succeeds at the third attempt."""
    return end(flows, flows.shop.submit("paperclip", 1, "test-unavailable-2"))


def out_of_stock(flows: Workflows) -> str:
    """There is nothing to roll back."""
    return end(flows, flows.shop.submit("paperclip", 1_000))


def approved(flows: Workflows) -> str:
    """A large order is approved."""
    order_id = large(flows)
    expect_decided(flows, order_id, approved=True)
    return end(flows, order_id)


def denied(flows: Workflows) -> str:
    """A large order is denied, and the reservation released."""
    order_id = large(flows)
    expect_decided(flows, order_id, approved=False)
    return end(flows, order_id)


def expired(flows: Workflows) -> str:
    """Nobody decides in time."""
    return end(flows, large(flows))


def cancelled(flows: Workflows) -> str:
    """A large order is cancelled while it waits."""
    order_id = large(flows)
    url = flows.shop.url("orders", f"/orders/{order_id}/cancel")
    assert flows.shop.http.post(url).status_code == 202
    return end(flows, order_id)


def waiting(flows: Workflows) -> str:
    """A large order waits."""
    return large(flows)


def paused(flows: Workflows) -> str:
    """A large order waits, is paused, and is decided during the pause."""
    order_id = large(flows)
    expect(flows.post(f"/{order_id}/pause"), 202)
    flows.wait_for_status(order_id, "SUSPENDED")
    expect_decided(flows, order_id, approved=True)
    return until_happened(flows, order_id, "event_raised")


def resumed(flows: Workflows) -> str:
    """A large order is decided while it is paused, then resumed."""
    order_id = paused(flows)
    expect(flows.post(f"/{order_id}/resume"), 202)
    return end(flows, order_id)


def terminated(flows: Workflows) -> str:
    """An operator terminates a large order that waits."""
    order_id = large(flows)
    expect(flows.post(f"/{order_id}/terminate", force="true"), 202)
    return end(flows, order_id)


def undone(flows: Workflows) -> str:
    """An order that an operator terminated is rolled back."""
    return end(flows, UNDOS.id_of(terminated(flows)))


def settled(flows: Workflows) -> str:
    """A failed rollback succeeds at its retry."""
    order_id = large(flows)
    flows.platform.kill("inventory", signal.SIGSTOP)
    expect_decided(flows, order_id, approved=False)
    flows.shop.wait_status(order_id, "needs_attention")
    flows.platform.kill("inventory", signal.SIGCONT)
    url = flows.shop.url("orders", f"/orders/{order_id}/retry")
    assert flows.shop.http.post(url).status_code == 202
    return end(flows, UNDOS.id_of(f"{order_id}.1"))


def hello(flows: Workflows) -> str:
    """Somebody is greeted, and answers."""
    instance_id = flows.start_hello()
    flows.wait_until_waiting(instance_id)
    expect(flows.raise_approval(instance_id, {"by": "Bob"}), 202)
    return end(flows, instance_id)


def hello_waiting(flows: Workflows) -> str:
    """Somebody is greeted, and has not answered."""
    instance_id = flows.start_hello()
    flows.wait_until_waiting(instance_id)
    return instance_id


def counter(flows: Workflows) -> str:
    """The counter has continued as new several times."""
    instance_id = flows.start_counter()
    flows.wait_until_count_exceeds(instance_id, 2)
    expect(flows.post(f"/{instance_id}/pause"), 202)  # so that it is not written while it is read
    flows.wait_for_status(instance_id, "SUSPENDED")
    return instance_id


def counter_failed(flows: Workflows) -> str:
    """The counter is started directly with an invalid input, which the service would refuse."""
    wanted = f"count-{new_suffix()}"
    start = f"/v1.0/workflows/dapr/{COUNTER}/start?instanceID={wanted}"
    url = f"{flows.platform.sidecar_url('orders')}{start}"
    assert flows.shop.http.post(url, json={"value": "x"}).status_code == 202
    return end(flows, wanted)


def reminded(flows: Workflows) -> str:
    """Nobody decides in time, in spite of a reminder."""
    return expired(flows)


def batch(flows: Workflows) -> str:
    """The orders of a batch are completed, rejected and declined."""
    batch_id = new_suffix()
    flows.shop.restock()
    orders = [
        flows.shop.order_data(f"{batch_id}-good", "paperclip", 1),
        flows.shop.order_data(f"{batch_id}-unknown", "yachts", 1),
        flows.shop.order_data(f"{batch_id}-declined", "paperclip", 1, "test-declined-1"),
    ]
    flows.shop.publish("orders.batch-submitted", {"batch_id": batch_id, "orders": orders})
    return end(flows, BATCHES.id_of(batch_id))


def task(flows: Workflows, **given: object) -> str:
    """Start a task and return its instance's id."""
    body = {"task_id": f"task-{new_suffix()}", "title": "Count the cars", **given}
    started = expect(flows.post(f"/{names.TASK_PROCESSING}/start", body), 202)
    return str(started["instance_id"])


def done(flows: Workflows) -> str:
    """A task is completed after two failed assignments."""
    instance_id = task(flows, assignee="test-unavailable-2")
    until_happened(flows, instance_id, "timer_created")
    event = {"completed_at": "2026-03-01T12:00:00Z"}
    expect(flows.post(f"/{instance_id}/raise_event/{names.TASK_COMPLETED}", event), 202)
    return end(flows, instance_id)


def timed_out(flows: Workflows) -> str:
    """Nobody completes a task in time."""
    return end(flows, task(flows, timeout_seconds=1))


def low(flows: Workflows) -> str:
    """Stock of an item is low; the alert was sent, and the monitor has checked again."""
    instance_id = MONITORS.id_of("paperclip")
    flows.shop.restock()
    flows.shop.wait_final(flows.shop.submit("paperclip", 95))
    expect(flows.post(f"/{instance_id}/raise_event/{names.CHECK_NOW}"), 202)
    until_happened(flows, instance_id, "timer_created")
    wait_for("an alert", lambda: flows.shop.stream("inventory.low-stock"))
    expect(flows.post(f"/{instance_id}/pause"), 202)  # so that it is not written while it is read
    flows.wait_for_status(instance_id, "SUSPENDED")
    return instance_id


SCENES: Final[dict[str, Scene]] = {
    f"{workflow}.{scene.__name__}": scene
    for workflow, scenes in {
        names.ORDER_PROCESSING: (
            completed,
            declined,
            retried,
            out_of_stock,
            approved,
            denied,
            expired,
            cancelled,
            waiting,
            paused,
            resumed,
            terminated,
            reminded,
        ),
        names.ORDER_UNDO: (undone, settled),
        names.ORDER_BATCH: (batch,),
        names.TASK_PROCESSING: (done, timed_out),
        names.STOCK_MONITOR: (low,),
        names.INTERACTIVE_HELLO: (hello, hello_waiting),
        names.NEVER_ENDING: (counter, counter_failed),
    }.items()
    for scene in scenes
}


def end(flows: Workflows, instance_id: str) -> str:
    """Wait for an instance to finish."""
    wait_for(f"{instance_id} to exist", lambda: flows.get(f"/{instance_id}/status").is_success)
    flows.wait_for_status(instance_id, "COMPLETED", "FAILED", "TERMINATED")
    return instance_id


def large(flows: Workflows) -> str:
    """Place an order that needs approval, and wait for its request."""
    flows.shop.restock()
    order_id = flows.shop.submit("cars", 4)
    flows.shop.wait_approval(order_id, "pending")
    return until_happened(flows, order_id, "timer_created")


def until_happened(flows: Workflows, instance_id: str, event: str) -> str:
    """Wait until the history has an event."""
    wait_for(
        f"{event} of {instance_id}",
        lambda: any(entry["type"] == event for entry in flows.history(instance_id)),
    )
    return instance_id


def expect_decided(flows: Workflows, order_id: str, *, approved: bool) -> None:
    """Send a decision, which must be accepted."""
    assert flows.shop.decide(order_id, approved=approved).status_code == 200


def without_traces(recording: Recording) -> Recording:
    """Remove stack traces, which contain paths and are never read by workflows."""
    for event in recording.events:
        for payload in event.values():
            if isinstance(payload, dict):
                payload.get("failureDetails", {}).pop("stackTrace", None)
    return recording


def main() -> None:
    """Run each scenario on one platform and write its history."""
    wanted = sys.argv[1:] or list(SCENES)
    patience = {
        "ORDERS_APPROVAL_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
        "ORDERS_UNDO_TIMEOUT_SECONDS": "1",
    }
    with (
        tempfile.TemporaryDirectory() as home,
        Platform(Settings.isolated(Path(home), **FAST, **patience)) as platform,
    ):
        shop = Shop(platform)
        port = platform.settings.ports.apps["orders"].dapr_grpc
        recorder = Recorder(f"127.0.0.1:{port}")
        for name in wanted:
            recording = without_traces(recorder.record(SCENES[name](Workflows(shop))))
            (HERE / f"{name}.json").write_text(recording.model_dump_json(indent=1) + "\n")
            sys.stdout.write(f"{name}: {len(recording.events)} events\n")
        recorder.close()
        shop.close()


if __name__ == "__main__":
    main()
