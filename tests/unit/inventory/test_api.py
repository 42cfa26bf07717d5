import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from fakes.access import opened
from fakes.memory_store import Failure, MemoryStore
from fakes.recorded_app import RecordedApp
from inventory.api import http_app, offer_methods
from inventory.batching import ATTEMPTS
from inventory.config import OPENING_STOCK
from inventory.service import StockService
from orderflow_hosting.problems import Problem

TWO_CARS = {"order_id": "o1", "lines": [{"item": "cars", "quantity": 2}]}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def service(store: MemoryStore) -> StockService:
    service = StockService(store)
    await service.load_opening_stock(OPENING_STOCK)
    return service


@pytest.fixture
async def app(service: StockService) -> RecordedApp:
    app = RecordedApp()
    offer_methods(app, service)
    return app


@pytest.fixture
async def http(service: StockService) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(
        opened(http_app(service, APIRouter())), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://inventory") as client:
        yield client


def test_only_orders_may_change_the_ledger(app: RecordedApp) -> None:
    """Only orders may change stock and read reservations; any application may read the stock."""
    callers = {name: method.callers for name, method in app.methods.items()}

    assert callers == {
        "reserve": {"orders"},
        "commit": {"orders"},
        "release": {"orders"},
        "restock": {"orders"},
        "reservations": {"orders"},
        "stock": None,
    }


async def test_methods_follow_the_contract(app: RecordedApp) -> None:
    """All methods accept and return the JSON of the contract."""
    assert await app.invoke("reserve", json.dumps(TWO_CARS)) == {
        "outcome": "reserved",
        "total_cents": 30_000_00,
        "lines": [{"item": "cars", "quantity": 2, "unit_price_cents": 15_000_00}],
    }
    assert await app.invoke("reservations") == {
        "reservations": [
            {
                "order_id": "o1",
                "state": "reserved",
                "lines": [{"item": "cars", "quantity": 2, "unit_price_cents": 15_000_00}],
            }
        ]
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
async def test_a_rejection_is_a_permanent_problem(
    app: RecordedApp, method: str, body: dict[str, object], status: int, code: str
) -> None:
    """The code shows that the caller must not retry."""
    await app.invoke("reserve", json.dumps(TWO_CARS))

    with pytest.raises(Problem) as problem:
        await app.invoke(method, json.dumps(body))

    assert (problem.value.status, problem.value.code) == (status, code)


async def test_an_unavailable_store_is_a_temporary_problem(
    app: RecordedApp, store: MemoryStore
) -> None:
    """The code shows that the caller may retry."""
    store.read_failures.extend([Failure.UNAVAILABLE] * ATTEMPTS)

    with pytest.raises(Problem) as problem:
        await app.invoke("reserve", json.dumps(TWO_CARS))

    assert (problem.value.status, problem.value.code) == (503, "STORE_UNAVAILABLE")


async def test_the_stock_is_readable_over_http(http: httpx.AsyncClient) -> None:
    """GET /stock lists every item as in the contract."""
    response = await http.get("/stock")

    assert response.status_code == 200
    assert response.json()["items"][0] == {
        "item": "paperclip",
        "on_hand": 100,
        "reserved": 0,
        "available": 100,
        "unit_price_cents": 500,
    }


async def test_the_stock_cannot_be_changed_over_http(
    http: httpx.AsyncClient, app: RecordedApp
) -> None:
    """No method that changes the ledger is available over HTTP."""
    for name in app.methods:
        response = await http.post(f"/{name}", json=TWO_CARS)

        assert response.status_code in {404, 405}
        assert response.headers["content-type"] == "application/problem+json"


async def test_an_unavailable_store_is_a_503(http: httpx.AsyncClient, store: MemoryStore) -> None:
    """A store failure gives a problem document with a stable code."""
    store.read_failures.append(Failure.UNAVAILABLE)

    response = await http.get("/stock")

    assert response.status_code == 503
    assert response.json()["code"] == "STORE_UNAVAILABLE"
