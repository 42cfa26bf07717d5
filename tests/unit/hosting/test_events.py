import json

import pytest
from dapr.ext.grpc import SubscriptionMessage
from dapr.proto import appcallback_v1

from orderflow_contracts.approvals import ApprovalWithdrawn
from orderflow_hosting.events import read_event, write_event


def delivered(data: bytes, content_type: str = "application/json") -> SubscriptionMessage:
    request = appcallback_v1.TopicEventRequest(
        id="e-1", source="s", type="t", data_content_type=content_type, data=data
    )
    return SubscriptionMessage(request)


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


def test_an_event_without_an_id_gets_one() -> None:
    """Each such event gets a different id."""
    data = ApprovalWithdrawn(order_id="o-1", reason="failed")

    ids = {
        json.loads(write_event("approvals.withdrawn", data, app_id="orders", subject="o-1"))["id"]
        for _ in range(3)
    }

    assert len(ids) == 3


@pytest.mark.parametrize("content_type", ["application/json", "application/x+json", "text/x", ""])
def test_json_is_parsed_whatever_its_content_type(content_type: str) -> None:
    """Publishers may send any content type."""
    event = read_event(delivered(b'{"order_id": "o-1"}', content_type))

    assert event.data == {"order_id": "o-1"}
    assert (event["id"], event["source"], event["type"]) == ("e-1", "s", "t")


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"", ""),
        (b"{", "{"),
        (b"null", None),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 100_000),
        (b"9" * 5000, "9" * 5000),
    ],
)
def test_data_that_is_not_json_stays_text(raw: bytes, data: object) -> None:
    """Parsing never fails; the handler validates the data."""
    assert read_event(delivered(raw)).data == data
