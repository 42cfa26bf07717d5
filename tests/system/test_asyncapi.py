"""The AsyncAPI document holds on the real Dapr: its examples are events that the services read."""

import json
from functools import partial
from typing import Any

import pytest

from system.shop import Shop, wait_for

DEAD = ".dead"


def examples(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each example with the topic on which it is published."""
    messages = document["components"]["messages"]
    return [
        (channel["address"], example["payload"])
        for channel in document["channels"].values()
        for name in channel["messages"]
        for example in messages[name].get("examples", ())
    ]


@pytest.mark.parametrize("app", ["orders", "approvals"])
def test_the_document_is_served(shop: Shop, app: str) -> None:
    """Each service with topics serves the same document."""
    response = shop.http.get(shop.url(app, "/asyncapi"))

    assert response.status_code == 200
    assert response.json()["asyncapi"].startswith("3.")
    assert response.json() == shop.http.get(shop.url("orders", "/asyncapi")).json()


def test_every_example_is_read(own_shop: Shop) -> None:
    """Each is published on its topic, and none is refused as invalid or still tried again.

    The task that one of them completes does not exist, so this event waits for it.
    """
    document = own_shop.http.get(own_shop.url("orders", "/asyncapi")).json()
    received = {
        each["channel"]["$ref"].rpartition("/")[2]
        for each in document["operations"].values()
        if each["action"] == "receive"
    }
    published = examples(document)
    for topic, event in published:
        response = own_shop.publish(
            topic,
            None,
            raw=json.dumps(event).encode(),
            content_type="application/cloudevents+json",
        )
        assert response.status_code == 204, (topic, response.text)

    assert {topic for topic, _ in published} >= {
        topic for topic in received if not topic.endswith(DEAD)
    }
    for topic in sorted(received, key=lambda name: name.endswith(DEAD)):
        wait_for(f"all of {topic} to be handled", partial(own_shop.all_acknowledged, topic))
    for app in ("orders", "approvals"):
        letters = own_shop.dead_letters(app)
        assert [each for each in letters if each["reason"].startswith("invalid")] == []

    def only_the_task_is_awaited() -> bool:
        parked = [
            each["topic"]
            for app in ("orders", "approvals")
            for each in own_shop.http.get(own_shop.url(app, "/parked-events")).json()["items"]
        ]
        return parked == ["tasks.completed"]

    wait_for("the other events to be handled", only_the_task_is_awaited)
    assert own_shop.order("order-1")
    assert own_shop.wait_status("order-2", "awaiting_approval")
    assert own_shop.approval("order-1")
    assert own_shop.http.get(own_shop.url("orders", "/batches/batch-1")).json()["total"] == 2
