import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from fakes.access import opened
from fakes.memory_store import MemoryStore, Trouble
from fakes.recorded_app import RecordedApp
from inventory.api import http_app, offer_methods
from inventory.config import OPENING_STOCK
from inventory.keeper import ATTEMPTS
from inventory.stock import StockRoom
from orderflow_hosting.problems import Problem

TWO_CARS = {"order_id": "o1", "lines": [{"item": "cars", "quantity": 2}]}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def room(store: MemoryStore) -> StockRoom:
    room = StockRoom(store)
    await room.open(OPENING_STOCK)
    return room


@pytest.fixture
async def app(room: StockRoom) -> RecordedApp:
    app = RecordedApp()
    offer_methods(app, room)
    return app


@pytest.fixture
async def http(room: StockRoom) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened(http_app(room, APIRouter())), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
        yield client


def test_only_orders_may_change_the_ledger(app: RecordedApp) -> None:
    """Every changing method is for orders alone; the stock is for anyone."""
    callers = {name: method.callers for name, method in app.methods.items()}

    assert callers == {
        "reserve": {"orders"},
        "commit": {"orders"},
        "release": {"orders"},
        "restock": {"orders"},
        "stock": None,
    }


async def test_the_methods_answer_as_the_contract_says(app: RecordedApp) -> None:
    """Reserve, commit, release, restock and stock read and write the JSON of the contract."""
    assert await app.invoke("reserve", json.dumps(TWO_CARS)) == {
        "outcome": "reserved",
        "total_cents": 30_000_00,
        "lines": [{"item": "cars", "quantity": 2, "unit_price_cents": 15_000_00}],
    }
    assert await app.invoke("commit", '{"order_id": "o1"}') == {
        "outcome": "committed",
        "remaining": {"cars": 98},
    }
    assert await app.invoke("release", '{"order_id": "o1"}') == {"outcome": "released"}
    assert await app.invoke("restock") == await app.invoke("stock")


@pytest.mark.parametrize(
    ("method", "body", "status", "code"),
    [
        ("commit", {"order_id": "o9"}, 409, "NOTHING_RESERVED"),
        (
            "reserve",
            {"order_id": "o1", "lines": [{"item": "cars", "quantity": 3}]},
            409,
            "OTHER_LINES",
        ),
        ("restock", {"item": "boats"}, 404, "UNKNOWN_ITEM"),
        ("restock", {"item": "boats", "quantity": 1}, 404, "UNKNOWN_ITEM"),
    ],
)
async def test_a_refusal_is_told_as_a_problem_that_will_not_pass(
    app: RecordedApp, method: str, body: dict[str, object], status: int, code: str
) -> None:
    """The caller can tell what it must not try again."""
    await app.invoke("reserve", json.dumps(TWO_CARS))

    with pytest.raises(Problem) as problem:
        await app.invoke(method, json.dumps(body))

    assert (problem.value.status, problem.value.code) == (status, code)


async def test_a_store_that_is_away_is_told_as_a_problem_that_may_pass(
    app: RecordedApp, store: MemoryStore
) -> None:
    """The caller may try again."""
    store.trouble_reading.extend([Trouble.UNAVAILABLE] * ATTEMPTS)

    with pytest.raises(Problem) as problem:
        await app.invoke("reserve", json.dumps(TWO_CARS))

    assert (problem.value.status, problem.value.code) == (503, "STORE_UNAVAILABLE")


async def test_people_read_the_stock(http: httpx.AsyncClient) -> None:
    """GET /stock lists every item in the shape of the contract."""
    response = await http.get("/stock")

    assert response.status_code == 200
    assert response.json()["items"][0] == {
        "item": "paperclip",
        "on_hand": 100,
        "reserved": 0,
        "available": 100,
        "unit_price_cents": 500,
    }


async def test_people_cannot_change_the_stock(http: httpx.AsyncClient, app: RecordedApp) -> None:
    """No method that changes the ledger is reachable over HTTP."""
    for name in app.methods:
        response = await http.post(f"/{name}", json=TWO_CARS)

        assert response.status_code in {404, 405}
        assert response.headers["content-type"] == "application/problem+json"


async def test_people_are_told_when_the_store_is_away(
    http: httpx.AsyncClient, store: MemoryStore
) -> None:
    """A failing store is a problem document with a stable code."""
    store.trouble_reading.append(Trouble.UNAVAILABLE)

    response = await http.get("/stock")

    assert response.status_code == 503
    assert response.json()["code"] == "STORE_UNAVAILABLE"
