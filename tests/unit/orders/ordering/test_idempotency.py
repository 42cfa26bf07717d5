"""Orders over HTTP without an id, with an `Idempotency-Key`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from fakes.access import opened
from fakes.orders_ports import MemoryEngine
from orderflow_contracts.access import Role
from orderflow_contracts.order_ids import id_of_key
from orderflow_hosting.access import OPEN, Principal
from orderflow_hosting.problems import Problem
from orders.http import http_app
from orders.ordering.api import order_router
from orders.ordering.feed import StatusFeed
from orders.ordering.idempotency import LONGEST, order_id_of_key
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore

ORDER: dict[str, Any] = {"customer_id": "alice", "lines": [{"item": "cars", "quantity": 11}]}
KEY = '"8e03978e-40d5"'


@pytest.fixture
async def http(
    intake: Intake, store: OrderStore, feed: StatusFeed
) -> AsyncIterator[httpx.AsyncClient]:
    app = opened(http_app(order_router(intake, store, feed)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


async def place(http: httpx.AsyncClient, key: str, **changed: object) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return await http.post("/orders", json={**ORDER, **changed}, headers=headers)


async def test_the_same_key_and_content_place_one_order(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """Also at the same time: each request is answered with the same order."""
    responses = await asyncio.gather(*(place(http, KEY) for _ in range(10)))

    assert {response.status_code for response in responses} == {202}
    (order_id,) = {response.json()["order_id"] for response in responses}
    assert order_id == id_of_key("", "8e03978e-40d5")
    assert responses[0].headers["Location"] == f"/orders/{order_id}"
    assert len(engine.runs[order_id]) == 1


async def test_the_same_key_with_other_content_is_refused(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """The first order stays as it is."""
    first = await place(http, KEY)
    refused = await place(http, KEY, customer_id="eve")

    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await http.get(first.headers["Location"])).json()["customer_id"] == "alice"
    assert len(engine.runs) == 1


async def test_a_key_whose_request_was_invalid_can_be_used_again(http: httpx.AsyncClient) -> None:
    """Nothing was placed under it."""
    assert (await place(http, KEY, lines=[])).status_code == 422

    assert (await place(http, KEY)).status_code == 202


async def test_different_keys_place_different_orders(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """And so do requests without a key."""
    for key in (KEY, '"other"'):
        await place(http, key)
    for _ in range(2):
        await http.post("/orders", json=ORDER)

    assert len(engine.runs) == 4


async def test_an_order_id_overrides_the_key(http: httpx.AsyncClient, engine: MemoryEngine) -> None:
    """Whatever the key is: the id does its job."""
    for key in (KEY, KEY, ""):
        assert (await place(http, key, order_id="o1")).status_code == 202
    assert (await place(http, KEY, order_id="o2")).status_code == 202

    assert set(engine.runs) == {"o1", "o2"}


@pytest.mark.parametrize(
    "key", ["", '""', '"', '"a', 'a"b"', "a b", '"a\tb"', f'"{"a" * (LONGEST + 1)}"', "a, b", "ä"]
)
async def test_an_invalid_key_is_refused_by_name(
    http: httpx.AsyncClient, engine: MemoryEngine, key: str
) -> None:
    """Empty, too long, or not printable."""
    response = await http.post(
        "/orders", json=ORDER, headers=[(b"Idempotency-Key", key.encode("latin-1"))]
    )

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == "Idempotency-Key"
    assert not engine.runs


def request(*keys: str) -> Request:
    headers = [(b"idempotency-key", key.encode()) for key in keys]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("sent", "key"),
    [(KEY, "8e03978e-40d5"), ("8e03978e-40d5", "8e03978e-40d5"), (r'"a\"\\ b"', r'a"\ b')],
)
def test_a_key_may_be_quoted(sent: str, key: str) -> None:
    """As RFC 8941 quotes strings; many clients leave the quotes out."""
    assert order_id_of_key(request(sent), OPEN) == id_of_key("", key)


def test_two_keys_are_refused() -> None:
    """It would not be known which counts."""
    with pytest.raises(Problem):
        order_id_of_key(request("a", "a"), OPEN)


def test_callers_have_keys_of_their_own() -> None:
    """What alice chose does not keep bob from choosing the same."""
    alice, bob = (Principal(name, frozenset({Role.OPERATOR}), "token") for name in ("alice", "bob"))
    ids = {order_id_of_key(request(KEY), caller) for caller in (alice, bob, OPEN)}

    assert len(ids) == 3
