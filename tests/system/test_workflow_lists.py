"""Lists of workflows on the real Dapr runtime: complete and true, whatever happens to instances."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, wait_for
from system.stores import Isolated
from system.workflows import COUNTER, FAST, HELLO, Workflows, expect, new_suffix, restart_orders

ORDER = "order_processing_workflow"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Workflows]:
    """Manage the workflows of one platform, which these tests restart and damage."""
    with Platform(isolated(tmp_path_factory.mktemp("lists"), **FAST)) as platform:
        shop = Shop(platform)
        yield Workflows(shop)
        shop.close()


def ids(workflows: Workflows, **filters: Any) -> list[str]:
    page = expect(workflows.get("", limit=500, **filters), 200)
    assert page["next"] is None
    return [item["instance_id"] for item in page["items"]]


def keys(workflows: Workflows, instance_id: str, kind: str) -> list[bytes]:
    found: Any = workflows.shop.broker.keys(f"*dapr.internal*||{instance_id}||{kind}*")
    return list(found)


def test_a_list_has_what_has_just_happened(listed: Workflows) -> None:
    """Each start, pause, resumption, end and purge is in the next list, by every filter."""
    before = datetime.now(UTC).isoformat()
    counter = listed.start_counter()
    assert counter in ids(listed, name=COUNTER)
    assert counter in ids(listed, created_from=before)
    assert counter not in ids(listed, created_before=before)
    assert counter not in ids(listed, name=HELLO)

    for verb, status in (
        ("pause", "SUSPENDED"),
        ("resume", "RUNNING"),
        ("terminate", "TERMINATED"),
    ):
        expect(listed.post(f"/{counter}/{verb}"), 202)
        listed.wait_for_status(counter, status)
        assert counter in ids(listed, name=COUNTER, status=status), verb
        for other in {"SUSPENDED", "RUNNING", "TERMINATED"} - {status}:
            assert counter not in ids(listed, status=other), verb

    expect(listed.post(f"/{counter}/purge"), 202)
    assert counter not in ids(listed)


def test_orders_are_listed_by_their_status(listed: Workflows) -> None:
    """The engine starts and ends them, without the management of workflows."""
    waits = listed.shop.submit("cars", 4)
    done = listed.shop.submit("paperclip")
    listed.shop.wait_approval(waits, "pending")
    listed.shop.wait_final(done)
    listed.finished(done)

    assert waits in ids(listed, name=ORDER, status="RUNNING")
    assert done in ids(listed, name=ORDER, status="COMPLETED")
    assert done not in ids(listed, status="RUNNING")


def test_instances_of_other_clients_are_listed(listed: Workflows) -> None:
    """They are started, suspended, ended and purged through the sidecar."""
    instance_id = f"by-hand-{new_suffix()}"
    base = f"{listed.platform.sidecar_url('orders')}/v1.0/workflows/dapr"

    def post(path: str, **params: str) -> None:
        response = listed.shop.http.post(f"{base}/{path}", params=params)
        assert response.is_success, response.text

    post(f"{COUNTER}/start", instanceID=instance_id)
    wait_for("the start", lambda: instance_id in ids(listed, name=COUNTER, status="RUNNING"))
    post(f"{instance_id}/pause")
    wait_for("the pause", lambda: instance_id in ids(listed, status="SUSPENDED"))
    post(f"{instance_id}/resume")
    wait_for("the resumption", lambda: instance_id in ids(listed, status="RUNNING"))
    post(f"{instance_id}/terminate")
    wait_for("the end", lambda: instance_id in ids(listed, status="TERMINATED"))
    post(f"{instance_id}/purge")
    wait_for("the purge", lambda: instance_id not in ids(listed))


def test_a_damaged_instance_is_one_row_that_says_so(listed: Workflows) -> None:
    """A history key is missing or garbled, before and after a restart of orders and its sidecar."""
    missing, garbled, well = (listed.start_hello(name) for name in ("Ann", "Bob", "Carol"))
    started = {missing, garbled, well}
    for instance_id in started:
        listed.wait_until_waiting(instance_id)
    assert started <= set(ids(listed, name=HELLO, status="RUNNING"))
    listed.shop.broker.delete(*keys(listed, missing, "history-000000"))
    listed.shop.broker.hset(keys(listed, garbled, "history-000000")[0], "data", "garbled")

    for is_restarted in (False, True):
        if is_restarted:
            restart_orders(listed.platform)
        page = expect(listed.get("", name=HELLO, status="RUNNING"), 200)
        rows = {item["instance_id"]: item for item in page["items"]}
        assert started <= rows.keys()
        assert (rows[well]["input"], rows[well]["failure"]) == ("Carol", None)
        for damaged in (missing, garbled):
            assert (rows[damaged]["name"], rows[damaged]["runtime_status"]) == (HELLO, "RUNNING")
            assert rows[damaged]["failure"]["code"] == "WORKFLOW_DAMAGED"
            for path in ("status", "history"):
                expect(listed.get(f"/{damaged}/{path}"), 409, "WORKFLOW_DAMAGED")


def test_what_ended_around_a_kill_is_listed(listed: Workflows) -> None:
    """Orders and its sidecar are killed while orders end, and cannot record all of them."""
    orders = [listed.shop.submit("paperclip") for _ in range(20)]
    listed.shop.wait_final(orders[0])
    restart_orders(listed.platform)
    for order in orders:
        listed.shop.wait_final(order)
        listed.finished(order)

    wait_for("the list", lambda: set(orders) <= set(ids(listed, name=ORDER, status="COMPLETED")))
    assert not set(orders) & set(ids(listed, status="RUNNING"))
