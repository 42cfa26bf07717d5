"""Generated orders by HTTP and by event: each gets a documented answer, the same on both doors."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import assume, given
from hypothesis import strategies as st

from fakes.access import opened
from fakes.events import TopicsInMemory
from fakes.generated_events import REQUESTS, Sent
from fakes.odd_json import FEW
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import Wanted
from orderflow_hosting.dead_letters.table import storable
from orders.http import http_app
from orders.ordering.api import order_router, subscribe
from orders.ordering.feed import StatusFeed
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.tables import DEAD_LETTERS, PARKED_EVENTS

TOPIC: Final = "orders.submitted"
JSON: Final = {"content-type": "application/json"}
ODD_VALUES: Final = st.binary(max_size=20).map(
    lambda value: value.translate(None, b"\r\n\0").strip()
)
ODD_HEADERS: Final = st.dictionaries(
    st.sampled_from(
        ["content-type", "idempotency-key", "accept", "accept-language", "cookie", "traceparent"]
    ),
    ODD_VALUES,
    max_size=2,
)
"""Values without the characters that a server refuses itself."""


@pytest.fixture
def app(intake: Intake, store: OrderStore, feed: StatusFeed) -> FastAPI:
    return opened(http_app(order_router(intake, store, feed)))


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


@pytest.fixture
def topics(database: Database, intake: Intake) -> TopicsInMemory:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe(topics.topics, intake)
    return topics


@pytest.fixture
def markers() -> Iterator[str]:
    return (f"m{number}" for number in range(10**9))


def assert_documented(app: FastAPI, response: httpx.Response) -> None:
    """Check the status, and the document of a problem, which is a page for browsers."""
    documented = app.openapi()["paths"]["/orders"]["post"]["responses"]
    assert str(response.status_code) in documented
    if response.status_code == 202:
        assert response.headers["location"] == f"/orders/{response.json()['order_id']}"
        return
    if "text/html" in response.request.headers["accept"]:
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["code"]
    assert problem["detail"]


@FEW
@given(REQUESTS, ODD_HEADERS)
async def test_every_request_gets_a_documented_answer(
    app: FastAPI,
    http: httpx.AsyncClient,
    markers: Iterator[str],
    sent: Sent,
    odd_headers: dict[str, bytes],
) -> None:
    """Bodies of every kind, under every content type and encoding, with odd headers."""
    sent = sent.marked(next(markers))
    headers = {name: value.encode() for name, value in sent.headers}
    if sent.content_type is not None:
        headers["content-type"] = sent.content_type.encode()

    as_bytes = [(name.encode(), value) for name, value in {**headers, **odd_headers}.items()]
    response = await http.post("/orders", content=sent.body, headers=as_bytes)

    assert_documented(app, response)


@FEW
@given(REQUESTS)
async def test_both_doors_judge_a_text_alike(
    http: httpx.AsyncClient, topics: TopicsInMemory, markers: Iterator[str], sent: Sent
) -> None:
    """What one refuses the other refuses for the same reason."""
    marker = next(markers)
    body = sent.marked(marker).body
    assume(body)  # a request may have none, and then lacks a field instead of a text
    response = await http.post("/orders", content=body, headers=JSON)

    answer = await topics.app.events[TOPIC](event_with(body, f"event-{marker}"))

    if response.status_code == 202:
        assert answer is Answer.ACKNOWLEDGE
    else:
        assert answer is Answer.DEAD_LETTER
        reason = await reason_of(topics, f"event-{marker}")
        assert reason == storable(response.json()["detail"]).removeprefix("body: ")
    assert await topics.errors() == []


def event_with(data: bytes, event_id: str) -> bytes:
    """Write an event with any data, whether it is JSON or not."""
    attributes = {"specversion": "1.0", "id": event_id, "source": "/shop", "type": "order"}
    return json.dumps({**attributes, "data_base64": base64.b64encode(data).decode()}).encode()


async def reason_of(topics: TopicsInMemory, event_id: str) -> str:
    """Return why an event became a dead letter, without what the event's edge puts before it."""
    letters = (await topics.letters.page(10, None, Wanted(text=event_id))).items
    (letter,) = [each for each in letters if each.event_id == event_id]
    reason = letter.reason
    for prefix in ("invalid: ", "data: ", "body: "):
        reason = reason.removeprefix(prefix)
    return reason


async def test_an_order_sent_as_a_form_gets_a_page_that_says_what_is_wrong(
    http: httpx.AsyncClient,
) -> None:
    """The API has no page with a form to show again."""
    response = await http.post("/orders", data={"item": "cars"}, headers={"accept": "text/html"})

    assert response.status_code == 422
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "must be an object" in response.text


async def test_a_null_id_is_a_missing_one_on_both_doors(
    http: httpx.AsyncClient, topics: TopicsInMemory
) -> None:
    """HTTP makes up an id, or takes that of the key; the event's id names its order."""
    order = {"order_id": None, "item": "cars", "quantity": 1}
    first, again = [
        await http.post("/orders", json=order, headers={"idempotency-key": "k"}) for _ in range(2)
    ]

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["order_id"] == again.json()["order_id"]
    assert await topics.deliver(TOPIC, order, "event-1") is Answer.ACKNOWLEDGE
