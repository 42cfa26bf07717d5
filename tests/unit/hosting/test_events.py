"""Events as services write them; `test_envelope.py` has how they read them."""

import json

from orderflow_contracts.approvals import ApprovalWithdrawn
from orderflow_hosting.events import read_event, write_event


def test_an_event_is_written_as_a_cloud_event() -> None:
    """It has source, subject and a JSON content type, without which Dapr drops it."""
    data = ApprovalWithdrawn(order_id="o-1", reason="failed")

    written = json.loads(
        write_event("approvals.withdrawn", data, app_id="orders", subject="o-1", event_id="o-1.7")
    )

    assert written.pop("time")
    assert written == {
        "specversion": "1.0",
        "id": "o-1.7",
        "type": "com.orderflow.approval.withdrawn.v1",
        "source": "/orderflow/orders",
        "subject": "o-1",
        "datacontenttype": "application/json",
        "data": {"order_id": "o-1", "reason": "failed"},
    }


def test_a_written_event_is_read_as_it_was() -> None:
    """Services read with their own reader what others wrote."""
    data = ApprovalWithdrawn(order_id="o-1", reason="failed")

    event = read_event(
        write_event("approvals.withdrawn", data, app_id="orders", subject="o-1", event_id="o-1.7")
    )

    assert ApprovalWithdrawn.model_validate(event.content) == data
    assert (event.id, event.source, event.subject) == ("o-1.7", "/orderflow/orders", "o-1")
    assert (event.type, event.flaw) == ("com.orderflow.approval.withdrawn.v1", None)


def test_an_event_without_an_id_gets_one() -> None:
    """Each such event gets a different id."""
    data = ApprovalWithdrawn(order_id="o-1", reason="failed")

    ids = {
        json.loads(write_event("approvals.withdrawn", data, app_id="orders", subject="o-1"))["id"]
        for _ in range(3)
    }

    assert len(ids) == 3
