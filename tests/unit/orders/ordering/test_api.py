"""Orders over HTTP, with problem documents for all errors."""

import asyncio
import base64
import json
import re
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from fakes.access import opened
from fakes.odd_json import FEW
from fakes.orders_ports import MemoryEngine
from fakes.waiting import until
from orderflow_contracts.orders import Order, OrderStatus
from orderflow_hosting.database import Database
from orders.http import http_app
from orders.ordering import service
from orders.ordering.api import order_router
from orders.ordering.feed import StatusFeed
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.payments.api import payment_router
from orders.payments.service import RecordedPayments
from orders.tables import STATUSES

LINES = [{"item": "cars", "quantity": 11}]
VALID: dict[str, Any] = {"order_id": "o1", "customer_id": "alice", "lines": LINES}


@pytest.fixture
async def http(
    intake: Intake, store: OrderStore, feed: StatusFeed, payments: RecordedPayments
) -> AsyncIterator[httpx.AsyncClient]:
    app = opened(http_app(order_router(intake, store, feed), payment_router(payments.store)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


def problem_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    return response.status_code, document["code"]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_an_order_without_an_id_gets_one(http: httpx.AsyncClient) -> None:
    """Location has the address of the order."""
    response = await http.post("/orders", json={"customer_id": "alice", "lines": LINES})

    assert response.status_code == 202
    found = await http.get(response.headers["Location"])
    assert found.json()["order_id"] == response.json()["order_id"]


async def test_an_order_is_placed(http: httpx.AsyncClient, engine: MemoryEngine) -> None:
    """The answer is 202 with the order's address, and the order as in the contract."""
    response = await http.post("/orders", json=VALID)

    assert response.status_code == 202
    assert response.headers["Location"] == "/orders/o1"
    order = response.json()
    assert list(order) == [
        "order_id",
        "customer_id",
        "lines",
        "status",
        "reason",
        "detail",
        "total_cents",
        "sequence",
        "created_at",
        "updated_at",
        "history",
    ]
    assert (order["order_id"], order["status"], order["sequence"]) == ("o1", "received", 1)
    assert order["lines"] == LINES
    assert [list(entry) for entry in order["history"]] == [["sequence", "status", "reason", "at"]]
    assert len(engine.runs["o1"]) == 1
    assert (await http.get(response.headers["Location"])).json() == order


async def test_the_short_form_may_be_placed(http: httpx.AsyncClient) -> None:
    """The short form is accepted over HTTP, too."""
    response = await http.post("/orders", json={"order_id": "o1", "item": "cars", "quantity": 11})

    assert response.status_code == 202
    assert (response.json()["customer_id"], response.json()["lines"]) == ("anonymous", LINES)


async def test_placing_an_order_twice_starts_it_once(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """The answers are the same."""
    first = await http.post("/orders", json=VALID)

    again = await http.post("/orders", json=VALID)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Location"] == "/orders/o1"
    assert len(engine.runs["o1"]) == 1


async def test_an_order_is_accepted_while_the_engine_is_down(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """It is stored, and starts later."""
    engine.is_down = True

    assert (await http.post("/orders", json=VALID)).status_code == 202


async def test_other_content_under_the_same_id_is_a_conflict(http: httpx.AsyncClient) -> None:
    """The answer is 409, and the first order stays."""
    await http.post("/orders", json=VALID)

    response = await http.post("/orders", json={**VALID, "customer_id": "eve"})

    assert problem_of(response) == (409, "ORDER_EXISTS")
    assert (await http.get("/orders/o1")).json()["customer_id"] == "alice"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**VALID, "order_id": "o 1"}, "order_id"),
        ({"order_id": "o1", "lines": LINES}, "customer_id"),
        ({**VALID, "lines": []}, "lines"),
        ({**VALID, "lines": LINES * 2}, "lines"),
        ({**VALID, "lines": [{"item": "cars", "quantity": 1.5}]}, "lines.0.quantity"),
        ({**VALID, "lines": [{"item": "\ud800", "quantity": 1}]}, "lines.0.item"),
        ([VALID], "body"),
        ("order", "body"),
        (None, "body"),
    ],
)
async def test_an_invalid_order_is_refused_and_the_field_named(
    http: httpx.AsyncClient, body: Any, field: str
) -> None:
    """The answer is 422 with the invalid field, and nothing is stored."""
    response = await http.post(
        "/orders", content=json.dumps(body), headers={"content-type": "application/json"}
    )

    assert problem_of(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] == field
    assert (await http.get("/orders")).json() == {"items": [], "next": None}


async def test_invalid_json_is_refused(http: httpx.AsyncClient) -> None:
    """The error says that the JSON is invalid."""
    response = await http.post(
        "/orders", content=b'{"order_id": ', headers={"content-type": "application/json"}
    )

    assert problem_of(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] == "body"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orders/nobody"),
        ("POST", "/orders/nobody/cancel"),
        ("GET", "/orders/%00"),
        ("GET", "/orders/%F0%9F%98%80"),
    ],
)
async def test_an_unknown_order_is_not_found(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """The code of the 404 differs from that of an unknown path."""
    assert problem_of(await http.request(method, path)) == (404, "ORDER_NOT_FOUND")


async def test_an_unknown_path_is_not_found(http: httpx.AsyncClient) -> None:
    """Routing errors are problem documents, too."""
    assert problem_of(await http.get("/nothing")) == (404, "NOT_FOUND")
    assert problem_of(await http.delete("/orders")) == (405, "METHOD_NOT_ALLOWED")


async def test_an_order_may_be_cancelled_until_it_has_ended(
    http: httpx.AsyncClient, store: OrderStore
) -> None:
    """The answer is 202 while it is in progress, also twice, and 409 afterwards."""
    await http.post("/orders", json=VALID)
    await store.record("o1", "run", OrderStatus.PAID)
    for _ in range(2):
        assert (await http.post("/orders/o1/cancel")).status_code == 202

    await store.record("o1", "run", OrderStatus.CANCELLED, reason="cancelled_on_request")

    assert problem_of(await http.post("/orders/o1/cancel")) == (409, "ORDER_ENDED")


async def test_an_order_that_is_cancelled_before_its_charge_ends_soon(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is answered with 202 until the end can be read, here without any run."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.05)
    await http.post("/orders", json=VALID)

    assert (await http.post("/orders/o1/cancel")).status_code == 202

    async def has_ended() -> bool:
        found = Order.model_validate((await http.get("/orders/o1")).json())
        return (found.status, found.reason) == ("cancelled", "cancelled_on_request")

    await until(has_ended)
    assert problem_of(await http.post("/orders/o1/cancel")) == (409, "ORDER_ENDED")


async def test_orders_are_listed_page_by_page(http: httpx.AsyncClient, store: OrderStore) -> None:
    """Following `next` reads every order once, newest first; the last page has no `next`."""
    for number in range(5):
        await http.post("/orders", json={**VALID, "order_id": f"o{number}"})
    await store.record("o2", "run", OrderStatus.RESERVED)

    seen: list[str] = []
    params: dict[str, str] | None = {"limit": "2", "status": "received"}
    while params is not None:
        page = (await http.get("/orders", params=params)).json()
        seen += [Order.model_validate(item).order_id for item in page["items"]]
        params = {**params, "after": page["next"]} if page["next"] else None

    assert seen == ["o4", "o3", "o1", "o0"]


@pytest.mark.parametrize(
    "after",
    ["!", "x", "%00", cursor("x"), cursor("-1"), cursor("²"), cursor("٣"), cursor("9" * 40), "ä"],
)
@pytest.mark.parametrize("path", ["/orders", "/payments"])
async def test_an_invalid_cursor_is_refused(http: httpx.AsyncClient, path: str, after: str) -> None:
    """The answer is 422 and names `after`, whatever the cursor contains."""
    response = await http.get(path, params={"after": after})

    assert problem_of(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] == "after"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=501", "query.limit"),
        ("limit=1_0", "query.limit"),
        ("limit=5.0", "query.limit"),
        ("status=lost", "query.status"),
    ],
)
async def test_an_invalid_query_is_refused(http: httpx.AsyncClient, query: str, field: str) -> None:
    """The answer is 422 and names the parameter."""
    response = await http.get(f"/orders?{query}")

    assert problem_of(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] in {field, field.removeprefix("query.")}


async def test_payments_are_listed(http: httpx.AsyncClient, payments: RecordedPayments) -> None:
    """For all orders, or for one."""
    await payments.charge("o1", "alice", 500)
    await payments.refund("o1")
    await payments.charge("o2", "bob", 700)

    of_order = (await http.get("/payments/o1")).json()
    newest = (await http.get("/payments", params={"limit": 2})).json()
    rest = (await http.get("/payments", params={"limit": 2, "after": newest["next"]})).json()

    assert [(entry["kind"], entry["amount_cents"]) for entry in of_order["items"]] == [
        ("charge", 500),
        ("refund", 500),
    ]
    assert [entry["order_id"] for entry in newest["items"]] == ["o2", "o1"]
    assert list(newest["items"][0]) == ["order_id", "kind", "amount_cents", "at"]
    assert (len(rest["items"]), rest["next"]) == (1, None)


def events(response: httpx.Response) -> list[tuple[str, str, dict[str, Any]]]:
    """Return server-sent events as id, name and data, without comments."""
    blocks = [block for block in response.text.split("\n\n") if block and block[0] != ":"]
    parsed = [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]
    return [(fields["id"], fields["event"], json.loads(fields["data"])) for fields in parsed]


async def test_status_changes_are_streamed_at_once(
    http: httpx.AsyncClient, feed: StatusFeed
) -> None:
    """Each event has an id to resume from, and the stream ends when the service stops."""
    await http.post("/orders", json=VALID)
    streaming = asyncio.create_task(http.get("/orders/stream?after=0"))
    await until(lambda: bool(feed._followers))

    await http.post("/orders", json={**VALID, "order_id": "o2"})
    feed.close()

    response = await streaming
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert [(name, data["order_id"]) for _, name, data in events(response)] == [
        ("orders.status", "o1"),
        ("orders.status", "o2"),
    ]
    assert events(response)[0][2]["status"] == "received"


async def test_a_broken_stream_is_resumed_where_it_broke(
    http: httpx.AsyncClient, feed: StatusFeed
) -> None:
    """`Last-Event-ID`, which browsers send, takes precedence over `after`."""
    for number in range(3):
        await http.post("/orders", json={**VALID, "order_id": f"o{number}"})
    feed.close()
    everything = events(await http.get("/orders/stream?after=0"))

    headers = {"Last-Event-ID": everything[0][0]}
    resumed = events(await http.get("/orders/stream?after=0", headers=headers))

    assert len(everything) == 3
    assert resumed == everything[1:]


NOT_POSITIONS = [b"", b"x", b"-1", b"+1", b"1.0", b"\xb2", b"\xd9\xa1", b"9" * 40, b"1" * 6000]


DIGITS = st.integers(0, 5).map(lambda number: str(number).encode()) | st.from_regex(
    rb"[0-9]{1,30}", fullmatch=True
)


@pytest.mark.parametrize("last", NOT_POSITIONS)
async def test_an_invalid_last_event_id_is_reported(
    http: httpx.AsyncClient, feed: StatusFeed, last: bytes
) -> None:
    """It is not a position of this stream, which continues after the position in `after`."""
    await http.post("/orders", json=VALID)
    feed.close()

    response = await http.get("/orders/stream?after=0", headers={b"Last-Event-ID": last})

    assert response.status_code == 200
    (reset_id, name, reset), *changes = events(response)
    assert (reset_id, name, reset["reason"], reset["position"]) == ("0", "reset", "unreadable", 0)
    assert reset["detail"].endswith("Changes after position 0 follow.")
    assert [data["order_id"] for _, _, data in changes] == ["o1"]


@pytest.mark.parametrize("after", [*NOT_POSITIONS, b"1&after=1", b"\0", "\u0661".encode()])
async def test_an_invalid_position_is_reported(
    http: httpx.AsyncClient, feed: StatusFeed, after: bytes
) -> None:
    """The stream says so, and continues with the next change."""
    await http.post("/orders", json=VALID)
    streaming = asyncio.create_task(http.get("/orders/stream?after=" + _percent(after)))
    await until(lambda: bool(feed._followers))

    await http.post("/orders", json={**VALID, "order_id": "o2"})
    feed.close()

    response = await streaming
    assert response.status_code == 200
    (_, name, reset), *changes = events(response)
    assert (name, reset["reason"]) == ("reset", "unreadable")
    assert [data["order_id"] for _, _, data in changes] == ["o2"]


def _percent(text: bytes) -> str:
    return urllib.parse.quote_from_bytes(text, safe="&=")


@FEW
@given(last=st.binary().filter(lambda sent: not set(sent) & set(b"\0\r\n")) | DIGITS)
async def test_any_last_event_id_continues_the_stream(
    http: httpx.AsyncClient, feed: StatusFeed, last: bytes
) -> None:
    """Every change after the position follows once, and a reset comes first if it has none."""
    for number in range(3):
        await http.post("/orders", json={**VALID, "order_id": f"o{number}"})
    feed.close()
    everything = events(await http.get("/orders/stream?after=0"))

    response = await http.get("/orders/stream", headers={b"Last-Event-ID": last})

    assert response.status_code == 200
    if re.fullmatch(rb"0*[0-3]", last) and len(last) <= 18:
        assert events(response) == everything[int(last) :]
    else:
        assert [(name, data["position"]) for _, name, data in events(response)] == [("reset", 3)]


async def test_a_repeated_last_event_id_is_reported(
    http: httpx.AsyncClient, feed: StatusFeed
) -> None:
    """Which of the two positions is meant cannot be known."""
    feed.close()
    headers = [("Last-Event-ID", "0"), ("Last-Event-ID", "0")]

    found = events(await http.get("/orders/stream", headers=headers))

    assert [(name, data["reason"]) for _, name, data in found] == [("reset", "unreadable")]


async def test_a_position_beyond_the_end_is_reported(
    http: httpx.AsyncClient, feed: StatusFeed
) -> None:
    """Changes that are recorded from then on are not withheld until the position is reached."""
    await http.post("/orders", json=VALID)
    streaming = asyncio.create_task(http.get("/orders/stream", headers={"Last-Event-ID": "1000"}))
    await until(lambda: bool(feed._followers))

    await http.post("/orders", json={**VALID, "order_id": "o2"})
    feed.close()

    (reset_id, name, reset), *changes = events(await streaming)
    assert (name, reset["reason"]) == ("reset", "beyond_end")
    assert [data["order_id"] for _, _, data in changes] == ["o2"]
    again = events(await http.get("/orders/stream", headers={"Last-Event-ID": reset_id}))
    assert again == changes, "whoever reconnects after a reset continues from there"


async def test_a_position_whose_next_changes_were_removed_is_reported(
    http: httpx.AsyncClient, feed: StatusFeed, database: Database
) -> None:
    """All changes that are still stored follow."""
    for number in range(4):
        await http.post("/orders", json={**VALID, "order_id": f"o{number}"})
    feed.close()
    everything = events(await http.get("/orders/stream?after=0"))
    removal = delete(STATUSES).where(STATUSES.c.order_id.in_(["o0", "o1"]))
    await database.write(lambda connection: connection.execute(removal))

    removed, kept = [
        events(await http.get("/orders/stream", headers={"Last-Event-ID": everything[number][0]}))
        for number in (0, 1)
    ]

    reset_id, name, reset = removed[0]
    assert (reset_id, name, reset["reason"]) == (everything[1][0], "reset", "removed")
    assert removed[1:] == everything[2:]
    assert kept == everything[2:], "this client has missed nothing"


async def test_the_api_is_documented(http: httpx.AsyncClient) -> None:
    """OpenAPI lists every public path."""
    paths = (await http.get("/openapi.json")).json()["paths"]

    assert {
        "/orders",
        "/orders/stream",
        "/orders/{order_id}",
        "/orders/{order_id}/cancel",
        "/payments",
        "/payments/{order_id}",
    } <= set(paths)
