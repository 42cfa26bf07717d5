"""The API and the topic of batches: what is refused, and what people read."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given

from fakes.access import opened
from fakes.events import TopicsInMemory
from fakes.odd_json import FEW, odd
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import Known
from orders.batches.api import batch_router
from orders.batches.store import BatchStore
from orders.http import http_app

TOPIC = "orders.batch-submitted"
GOOD: dict[str, Any] = {
    "batch_id": "b1",
    "orders": [{"order_id": "a", "item": "cars", "quantity": 1}],
}


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened(http_app(batch_router(BatchStore(database)))))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"orders": GOOD["orders"]}, "batch_id"),
        ({**GOOD, "batch_id": "b 1"}, "batch_id"),
        ({**GOOD, "orders": "cars"}, "orders"),
        ({**GOOD, "orders": []}, "orders"),
        ({**GOOD, "orders": [1] * 501}, "orders"),
        ("text", "body"),
        (None, "body"),
    ],
)
async def test_an_invalid_batch_envelope_is_refused(
    topics: TopicsInMemory, http: httpx.AsyncClient, data: Any, field: str
) -> None:
    """The dead letter names the invalid field, and no batch is created."""
    assert await topics.deliver(TOPIC, data) is Answer.DEAD_LETTER

    (dead_letter,) = await topics.dead()
    assert dead_letter.topic == TOPIC
    assert dead_letter.reason.startswith("invalid")
    assert field in dead_letter.reason
    assert (await http.get("/batches")).json() == {"items": [], "next": None}


async def test_another_batch_under_a_known_id_is_a_dead_letter(topics: TopicsInMemory) -> None:
    """The reason says so."""
    other = {**GOOD, "orders": [{"item": "cars", "quantity": 2}]}

    assert await topics.deliver(TOPIC, GOOD) is Answer.ACKNOWLEDGE
    assert await topics.deliver(TOPIC, other) is Answer.DEAD_LETTER

    (dead_letter,) = await topics.dead()
    assert dead_letter.reason == "batch b1 exists with other content"


async def test_the_batch_of_an_event_is_found(topics: TopicsInMemory) -> None:
    """By its id, whatever else the event says."""
    assert await topics.find(TOPIC, GOOD) is None

    await topics.deliver(TOPIC, GOOD)

    assert await topics.find(TOPIC, {"batch_id": "b1"}) == Known("batch", "b1", "received")
    for odd_data in ({"batch_id": "b 1"}, {"batch_id": [1]}, [GOOD], None):
        assert await topics.find(TOPIC, odd_data) is None


async def test_a_batch_is_read_and_listed(topics: TopicsInMemory, http: httpx.AsyncClient) -> None:
    """A batch includes its orders; the paged list does not."""
    await topics.deliver(TOPIC, GOOD)
    await topics.deliver(TOPIC, {**GOOD, "batch_id": "b2"})

    found = (await http.get("/batches/b1")).json()
    first = (await http.get("/batches", params={"limit": 1})).json()
    second = (await http.get("/batches", params={"limit": 1, "after": first["next"]})).json()

    assert found["counts"] == {"received": 1}
    assert found["orders"] == [
        {"number": 1, "order_id": "a", "status": "received", "reason": None, "total_cents": None}
    ]
    assert [page["items"][0]["batch_id"] for page in (first, second)] == ["b2", "b1"]
    assert "orders" not in first["items"][0]
    assert second["next"] is None


@pytest.mark.parametrize("batch_id", ["b9", "b%209", "%00"])
async def test_an_unknown_batch_is_not_found(http: httpx.AsyncClient, batch_id: str) -> None:
    """An invalid batch id is not found either."""
    response = await http.get(f"/batches/{batch_id}")

    assert (response.status_code, response.json()["code"]) == (404, "BATCH_NOT_FOUND")


@FEW
@given(odd(GOOD) | odd(GOOD["orders"][0]).map(lambda order: {**GOOD, "orders": [order]}))
async def test_no_batch_data_raises_an_unexpected_error(
    topics: TopicsInMemory, data: object
) -> None:
    """Every event is either accepted or refused at once."""
    await topics.deliver(TOPIC, data)

    assert await topics.errors() == []
