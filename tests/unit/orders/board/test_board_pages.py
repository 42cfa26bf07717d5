"""The board, an order's page, the form of a new order and the stock, as a browser gets them."""

import asyncio
import html
import itertools
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from fakes.orders_ports import MemoryEngine, RoomInventory
from fakes.visitors import Visited, Visitor
from fakes.waiting import until
from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.fields import now
from orderflow_contracts.inventory import RestockRequest, Stock
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted
from orderflow_hosting.database import Database
from orderflow_hosting.problems import Problem
from orderflow_workflow_runtime.instances import HistoryEvent
from orderflow_workflow_runtime.ports import EngineUnavailable, NoSuchInstance
from orders.board.change_feed import ChangeFeed
from orders.board.pages import board_pages
from orders.board.pages.board_pages import board_router
from orders.board.pages.new_order_pages import new_order_router
from orders.board.pages.order_pages import OrderPages
from orders.board.pages.site import orders_site
from orders.board.pages.stock_levels import Stocks
from orders.board.pages.stock_pages import stock_router
from orders.board.store import BoardStore
from orders.ordering import service
from orders.ordering.actions import Action, Step
from orders.ordering.feed import StatusFeed
from orders.ordering.records import Invalid
from orders.ordering.service import Intake
from orders.ordering.steps import ACTIONS
from orders.ordering.store import OrderStore
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore
from orders.tables import ACCESS
from orders.tasks.store import TaskStore

NASTY = "<script>alert('x')</script>\" onload=\"é"
RAW = ("<script>alert", 'onload="é', "<b>")
LINES = (OrderLine(item="cars", quantity=11),)


@dataclass
class MemoryHistories:
    """The histories of the engine, which may be unavailable."""

    known: dict[str, list[HistoryEvent]] = field(default_factory=dict)
    is_down: bool = False

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        if self.is_down:
            raise EngineUnavailable("the engine is down")
        if instance_id not in self.known:
            raise NoSuchInstance(instance_id)
        return self.known[instance_id]


@dataclass
class MemoryAttention:
    """The known orders that need attention."""

    known: dict[str, OrderAttention] = field(default_factory=dict)

    async def of(self, order_id: str) -> OrderAttention | None:
        return self.known.get(order_id)


class RestockableInventory(RoomInventory):
    """The real inventory, which can be restocked or be unavailable."""

    async def restock(self, request: RestockRequest) -> Stock:
        self._fail()
        return await self.service.restock(request)


@pytest.fixture
async def inventory() -> RestockableInventory:
    inventory = RestockableInventory()
    await inventory.open()
    return inventory


@pytest.fixture
def histories() -> MemoryHistories:
    return MemoryHistories()


@pytest.fixture
def attention() -> MemoryAttention:
    return MemoryAttention()


@pytest.fixture
async def visited(
    tmp_path: Path,
    database: Database,
    intake: Intake,
    feed: StatusFeed,
    inventory: RestockableInventory,
    histories: MemoryHistories,
    attention: MemoryAttention,
) -> Visited:
    site = orders_site("http://127.0.0.1:8003")
    visited = Visited(site, database, ACCESS, tmp_path)
    board, changes, stocks = BoardStore(database), ChangeFeed(feed), Stocks(inventory)

    async def is_current(_: object) -> bool:
        return True

    pages = OrderPages(
        site=site,
        store=OrderStore(database),
        board=board,
        payments=PaymentStore(database),
        tasks=TaskStore(database),
        intake=intake,
        histories=histories,
        attention=attention,
        inbox_url="http://approvals:8003/",
    )
    visited.serve(
        board_router(site, board, changes, is_current),
        pages.router(),
        new_order_router(site, intake, stocks),
        stock_router(site, board, stocks),
    )
    return visited


@pytest.fixture
async def olga(visited: Visited) -> AsyncIterator[Visitor]:
    """Sign in an operator."""
    visitor = await visited.visitor("olga")
    yield visitor
    await visitor.client.aclose()


@pytest.fixture
async def vera(visited: Visited) -> AsyncIterator[Visitor]:
    """Sign in a viewer."""
    visitor = await visited.visitor("vera")
    yield visitor
    await visitor.client.aclose()


def order(order_id: str = "o1", customer_id: str = "alice", item: str = "cars") -> OrderSubmitted:
    lines = (OrderLine(item=item, quantity=11),)
    return OrderSubmitted(order_id=order_id, customer_id=customer_id, lines=lines)


def text_of(page: str) -> str:
    """Return the text of a page without markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def shown_ids(page: str) -> list[str]:
    return re.findall(r'<tr id="order-([^"]+)">', page)


async def test_an_empty_board_says_so(vera: Visitor) -> None:
    """It shows a sentence instead of an empty table."""
    page = await vera.get("/")

    assert page.status_code == 200
    assert "No orders yet" in page.text
    assert "<table" not in page.text


async def test_the_board_lists_orders_and_counts_them(vera: Visitor, store: OrderStore) -> None:
    """The newest come first, and each status has its count."""
    await store.accept(order("o1"))
    await store.accept(order("o2", "bob"))
    await store.record("o1", "run", OrderStatus.RESERVED, total_cents=123_456)

    page = await vera.get("/")

    assert shown_ids(page.text) == ["o2", "o1"]
    words = text_of(page.text)
    assert "All 2" in words
    assert "received 1" in words
    assert "reserved 1" in words
    assert "$1,234.56" in words
    assert "11 \N{MULTIPLICATION SIGN} cars" in words


async def test_a_status_chip_filters_the_list(vera: Visitor, store: OrderStore) -> None:
    """A chip leads to the orders with its status, and is shown as selected."""
    await store.accept(order("o1"))
    await store.accept(order("o2"))
    await store.record("o1", "run", OrderStatus.FAILED, reason="inventory_unavailable")

    page = await vera.get("/?status=failed")

    assert shown_ids(page.text) == ["o1"]
    assert re.search(r'href="/\?status=failed" aria-current="true"', page.text)
    assert "inventory unavailable" in page.text


async def test_a_search_keeps_its_input(vera: Visitor, store: OrderStore) -> None:
    """The form is filled in again, and the next page has the same search."""
    await store.accept(order("o1"))
    await store.accept(order("o2", "bob"))

    page = await vera.get("/?customer=%20bob&item=cars")

    assert shown_ids(page.text) == ["o2"]
    assert 'name="customer" type="text" value="bob"' in page.text
    assert "customer=bob&amp;item=cars&amp;status=paid" in page.text


async def test_pages_follow_each_other(
    vera: Visitor, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page leads to the next, and together they show each order once."""
    monkeypatch.setattr(board_pages, "ORDERS_A_PAGE", 2)
    for number in range(5):
        await store.accept(order(f"o{number}"))

    path: str | None = "/?customer=alice"
    found: list[str] = []
    while path is not None:
        page = (await vera.get(path)).text
        found += shown_ids(page)
        link = re.search(r'href="([^"]*after=[^"]*)" rel="next"', page)
        path = html.unescape(link[1]) if link else None

    assert found == ["o4", "o3", "o2", "o1", "o0"]


async def test_live_updates_do_not_move_orders_on_later_pages(
    vera: Visitor, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They include the counts and a note about new orders, but no rows."""
    monkeypatch.setattr(board_pages, "ORDERS_A_PAGE", 1)
    for number in range(3):
        await store.accept(order(f"o{number}"))
    first = (await vera.get("/")).text
    link = re.search(r'href="([^"]*after=[^"]*)" rel="next"', first)
    assert link
    deep = (await vera.get(html.unescape(link[1]))).text
    again = re.search(r'id="live" hx-get="([^"]*)"', deep)
    assert again

    await store.accept(order("newer"))
    later = (await vera.get(html.unescape(again[1]))).text

    live = later.split('id="live"')[1].split("<table")[0]
    assert "New orders have arrived" not in deep
    assert "New orders have arrived" in live
    assert "All <strong>4</strong>" in live
    assert shown_ids(deep) == shown_ids(later) == ["o1"]


async def test_searching_for_a_shown_time_finds_its_order(
    vera: Visitor, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works in the reader's time zone, which the next pages keep."""
    monkeypatch.setattr(board_pages, "ORDERS_A_PAGE", 1)
    for number in range(2):
        await store.accept(order(f"o{number}"))
    accepted = await store.order("o1")
    assert accepted is not None
    shown = accepted.created_at.astimezone(ZoneInfo("Asia/Kolkata")).strftime("%Y-%m-%dT%H:%M")
    query = {"since": shown, "until": shown, "zone": "Asia/Kolkata"}

    found = (await vera.get(f"/?{urlencode(query)}")).text
    elsewhere = (await vera.get(f"/?{urlencode({**query, 'zone': ''})}")).text

    assert shown_ids(found) == ["o1"]
    assert shown_ids(elsewhere) == []
    link = re.search(r'href="([^"]*after=[^"]*)" rel="next"', found)
    assert link is None or "zone=Asia%2FKolkata" in link[1]
    assert "zone=Asia%2FKolkata" in html.unescape(found.split('id="live" hx-get="')[1][:200])
    assert "data-zone-name>Asia/Kolkata<" in found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("since=2026-03-01T10:00&zone=Mars", "The time zone is not known."),
        ("status=lost", "There is no such status."),
        ("since=yesterday", "Enter a date and a time"),
        ("until=2026-13-01T00:00", "Enter a date and a time"),
        ("since=0001-01-01T00:00%2B10:00", "Enter a date and a time"),
        (f"customer={'x' * 129}", "At most 128 printable characters."),
        ("item=a%00b", "At most 128 printable characters."),
    ],
)
async def test_an_invalid_search_is_explained(vera: Visitor, query: str, words: str) -> None:
    """The field is marked, its input stays, and nothing is listed."""
    page = await vera.get(f"/?{query}")

    assert page.status_code == 422
    assert words in page.text
    assert 'aria-invalid="true"' in page.text


@pytest.mark.parametrize("after", ["x", "%F0", "bjE7", "aW8x"])
async def test_an_invalid_cursor_is_a_problem_page(vera: Visitor, after: str) -> None:
    """Only cursors from a page are accepted."""
    page = await vera.get(f"/?after={after}")

    assert page.status_code == 422
    assert page.headers["content-type"].startswith("text/html")


async def test_markup_shows_as_text_everywhere(
    olga: Visitor, store: OrderStore, histories: MemoryHistories
) -> None:
    """Names of customers and items, and error texts, are escaped."""
    await store.accept(order("o1", NASTY, NASTY))
    await store.record("o1", "run", OrderStatus.REJECTED, reason="<b>why")
    at = now()
    histories.known["o1"] = [
        HistoryEvent(event_id=1, at=at, type="task_scheduled", name=NASTY),
        HistoryEvent(event_id=None, at=at, type="task_failed", name=NASTY, error=NASTY),
    ]
    pages = [
        await olga.get("/"),
        await olga.get("/board/orders/o1"),
        await olga.get(f"/?customer={NASTY.replace('&', '%26').replace('+', '%2B')}&item=<b>x"),
        await olga.post("/board/new-order", customer_id="", item=NASTY, quantity="<b>"),
        await olga.post("/board/stock/restock", item=NASTY, quantity="<b>", key="<b>"),
    ]

    for page in pages:
        assert not [raw for raw in RAW if raw in page.text], page.url
    for page in pages[:2]:
        assert NASTY in html.unescape(page.text)


async def test_every_page_requires_signing_in(visited: Visited) -> None:
    """Visitors are redirected to the sign-in page."""
    nobody = await visited.visitor(None)

    for path in ("/", "/board/orders/o1", "/board/new-order", "/board/stock", "/board/changes"):
        page = await nobody.get(path)
        assert (page.status_code, page.headers["location"].split("?")[0]) == (303, "/sign-in")
    await nobody.client.aclose()


async def test_a_viewer_can_do_nothing(vera: Visitor, store: OrderStore) -> None:
    """Viewers see no actions, and forged requests are refused."""
    await store.accept(order("o1"))

    seen = [await vera.get("/"), await vera.get("/board/orders/o1"), await vera.get("/board/stock")]
    refused = [
        await vera.get("/board/new-order"),
        await vera.get("/board/orders/o1/cancel"),
        await vera.post("/board/orders/o1/cancel"),
        await vera.post("/board/new-order", customer_id="x", item="cars", quantity="1"),
        await vera.post("/board/stock/restock", item="cars", quantity="1"),
    ]

    for page in seen:
        main = page.text.split("<main")[1]
        assert page.status_code == 200
        assert '<form method="post"' not in main
        assert "new-order" not in main
        assert "/cancel" not in main
    assert [page.status_code for page in refused] == [403] * 5
    assert await store.cancels_to_hand_over() == []
    assert len(await store.orders(None, 10, None)) == 1


@pytest.mark.parametrize("path", ["orders/o1/cancel", "new-order", "stock/restock"])
async def test_a_form_from_elsewhere_does_nothing(
    visited: Visited, olga: Visitor, store: OrderStore, path: str
) -> None:
    """A form without the session's form token is refused."""
    await store.accept(order("o1"))
    forged = Visitor(olga.client, "another's")

    page = await forged.post(
        f"/board/{path}", customer_id="x", item="cars", quantity="1", key="0" * 32
    )

    assert page.status_code == 403
    assert "another session" in page.text
    assert await visited.audit.page(10, None) == []
    assert len(await store.orders(None, 10, None)) == 1


async def test_cancelling_an_order_asks_for_confirmation(
    olga: Visitor, store: OrderStore, visited: Visited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what will happen; the cancellation is done once, published and audited."""
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.01)
    await store.accept(order("o1"))

    question = await olga.get("/board/orders/o1/cancel")
    answer = await olga.post("/board/orders/o1/cancel")
    page = await olga.get(answer.headers["location"])

    assert "reserved stock is released" in question.text
    assert (await store.order("o1")) is not None
    assert answer.status_code == 303
    assert "Cancellation requested." in page.text
    assert "/board/orders/o1/cancel" not in page.text

    async def has_ended() -> bool:
        return "Reason: cancelled on request" in (await olga.get("/board/orders/o1")).text

    await until(has_ended)
    assert "/board/orders/o1/cancel" not in (await olga.get("/board/orders/o1")).text
    (entry,) = await visited.audit.page(10, None)
    assert (entry.actor, entry.action, entry.subject, entry.outcome) == (
        "olga",
        "order.cancel",
        "o1",
        "done",
    )


async def test_a_request_to_cancel_a_paid_order_is_shown(olga: Visitor, store: OrderStore) -> None:
    """Its workflow undoes it first, so it has not ended yet."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.PAID, total_cents=5_000)

    question = await olga.get("/board/orders/o1/cancel")
    answer = await olga.post("/board/orders/o1/cancel")
    page = await olga.get(answer.headers["location"])

    assert "reserved stock is released" in question.text
    assert answer.status_code == 303
    assert "Cancellation requested." in page.text
    assert "cancellation requested" in page.text
    assert "/board/orders/o1/cancel" not in page.text


async def test_an_order_that_has_ended_cannot_be_cancelled(
    olga: Visitor, store: OrderStore, visited: Visited
) -> None:
    """Both the confirmation page and the form say that it is too late."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.COMPLETED)

    pages = [
        await olga.get("/board/orders/o1/cancel"),
        await olga.post("/board/orders/o1/cancel"),
    ]

    assert [page.status_code for page in pages] == [409, 409]
    assert all("has ended" in page.text for page in pages)
    (entry,) = await visited.audit.page(10, None)
    assert entry.outcome == "ORDER_ENDED"


@pytest.mark.parametrize("path", ["none", "none/cancel", "a b", "%00", "x" * 65])
async def test_an_unknown_order_has_a_page(olga: Visitor, path: str) -> None:
    """The answer is a 404 page."""
    page = await olga.get(f"/board/orders/{path}")

    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")


async def test_an_order_shows_its_payments_and_stock(
    vera: Visitor, store: OrderStore, payments: RecordedPayments
) -> None:
    """Charges and refunds are listed with the net amount, and the reserved stock is described."""
    await store.accept(order("o1"))
    received = await vera.get("/board/orders/o1")
    await store.record("o1", "run", OrderStatus.PAID, total_cents=5_000)
    await payments.charge("o1", "alice", 5_000)
    paid = await vera.get("/board/orders/o1")
    await payments.refund("o1")
    await store.record("o1", "run", OrderStatus.CANCELLED, reason="cancelled_on_request")
    cancelled = await vera.get("/board/orders/o1")

    assert "No stock reserved yet." in received.text
    assert "Nothing charged yet." in received.text
    assert "Reserved for this order:" in paid.text
    assert "Net $50.00" in text_of(paid.text)
    assert "No stock reserved." in cancelled.text
    assert "Refunded" in cancelled.text
    assert "Net $0.00" in text_of(cancelled.text)


async def test_the_timeline_is_shown_without_the_engine(
    vera: Visitor, store: OrderStore, histories: MemoryHistories
) -> None:
    """If a workflow was purged or the engine is down, the page says so and shows the statuses."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.REJECTED, reason="out_of_stock")

    purged = await vera.get("/board/orders/o1")
    histories.is_down = True
    away = await vera.get("/board/orders/o1")

    assert "no longer has this order" in text_of(purged.text)
    assert "is not responding right now" in text_of(away.text)
    for page in (purged, away):
        assert page.status_code == 200
        assert "Reason: out of stock." in page.text


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
async def test_every_declared_action_is_on_the_page(
    vera: Visitor,
    store: OrderStore,
    histories: MemoryHistories,
    attention: MemoryAttention,
    action: Action,
) -> None:
    """The timeline shows each completed action, and failed compensations are named."""
    is_child = isinstance(action, Step) and action.is_child
    kinds = ("child_workflow_instance_created", "child_workflow_instance_completed")
    histories.known["o1"] = [
        HistoryEvent(event_id=None, at=now(), type=kind, name=action.activity)
        for kind in (kinds if is_child else ("task_scheduled", "task_completed"))
    ]
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.NEEDS_ATTENTION, reason="undo_failed")
    attention.known["o1"] = OrderAttention(order_id="o1", not_undone=(action.activity,))

    page = text_of((await vera.get("/board/orders/o1")).text)

    assert action.done in page
    assert f"Action required: {action.name[:1].lower()}{action.name[1:]}." in page


async def test_an_order_awaiting_approval_links_to_its_request(
    vera: Visitor, store: OrderStore
) -> None:
    """The link leads to the page where it is decided."""
    await store.accept(order("o1"))
    before = await vera.get("/board/orders/o1")
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL, total_cents=9_000_000)

    page = await vera.get("/board/orders/o1")

    assert "inbox/requests" not in before.text
    assert 'href="http://approvals:8003/inbox/requests/o1"' in page.text


async def test_a_failed_rollback_can_be_retried_on_the_page(
    olga: Visitor, vera: Visitor, store: OrderStore, attention: MemoryAttention
) -> None:
    """Until it is settled, the page names what is not undone, and operators may retry."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.NEEDS_ATTENTION, reason="undo_failed")
    attention.known["o1"] = OrderAttention(
        order_id="o1", not_undone=("refund_payment_activity",), retries=1, failed_at=now()
    )
    needs = await olga.get("/board/orders/o1")
    seen = await vera.get("/board/orders/o1")
    attention.known["o1"] = OrderAttention(order_id="o1", retrying_since=now(), retried_by="olga")
    tried = await olga.get("/board/orders/o1")
    attention.known["o1"] = OrderAttention(order_id="o1", settled_at=now(), settled_by="olga")
    settled = await olga.get("/board/orders/o1")

    assert "Action required: refund payment." in text_of(needs.text)
    assert 'action="/board/orders/o1/retry"' in needs.text
    assert "/retry" not in seen.text + tried.text + settled.text
    assert "hx-get" in tried.text
    assert "Settled." in settled.text


async def test_an_order_is_placed_once(
    olga: Visitor, store: OrderStore, engine: MemoryEngine, visited: Visited
) -> None:
    """Submitting a form twice places one order, and both responses lead to it."""
    page = await olga.get("/board/new-order")
    key = re.search(r'name="key" value="([0-9a-f]{32})"', page.text)
    assert key
    fields = {"key": key[1], "customer_id": " bob ", "item": ["cars", "", "paperclip"]}
    sent = {**fields, "quantity": [" 1000 ", "", "2"]}

    answers = [await olga.post("/board/new-order", **sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert {answer.headers["location"] for answer in answers} == {
        f"/board/orders/{key[1]}?done=placed"
    }
    ((_, placed),) = await store.orders(None, 10, None)
    assert placed.customer_id == "bob"
    assert [(line.item, line.quantity) for line in placed.lines] == [
        ("cars", 1_000),
        ("paperclip", 2),
    ]
    assert len(engine.runs[key[1]]) == 1
    assert {entry.subject for entry in await visited.audit.page(10, None)} == {key[1]}


@pytest.mark.usefixtures("one_more_field")
async def test_pages_show_and_accept_every_field_of_an_order(olga: Visitor) -> None:
    """A new field of the model needs no change to a page."""
    form = await olga.get("/board/new-order")
    sent = {"order_id": "o1", "customer_id": "alice", "item": "cars", "quantity": "1"}
    answer = await olga.post("/board/new-order", **sent, field_of_a_test="2026-12-24")
    page = await olga.get("/board/orders/o1")

    assert "Field of a test" in text_of(form.text)
    assert answer.status_code == 303
    assert "Field of a test 2026-12-24" in text_of(page.text)


@pytest.mark.parametrize(
    ("fields", "marked"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": "x" * 129}, "customer_id"),
        ({"order_id": "a b"}, "order_id"),
        ({"quantity": "0"}, "quantity-0"),
        ({"quantity": "1.5"}, "quantity-0"),
        ({"quantity": "1,5"}, "quantity-0"),
        ({"quantity": "1,000"}, "quantity-0"),
        ({"quantity": "1_000"}, "quantity-0"),
        ({"quantity": "1000001"}, "quantity-0"),
        ({"quantity": "٣"}, "quantity-0"),
        ({"quantity": ""}, "quantity-0"),
        ({"item": ["cars", ""], "quantity": ["1", "7"]}, "item-1"),
        ({"item": "", "quantity": ""}, "lines"),
        ({"item": ["cars", "cars"], "quantity": ["1", "7"]}, "lines"),
    ],
)
async def test_an_invalid_order_form_names_the_field(
    olga: Visitor, store: OrderStore, fields: dict[str, str], marked: str
) -> None:
    """The field is marked, the input stays, and nothing is placed."""
    typed = {"key": "k" * 32, "customer_id": "bob", "item": "cars", "quantity": "7", **fields}

    page = await olga.post("/board/new-order", **typed)

    assert page.status_code == 422
    assert f'id="{marked}-help"' in page.text
    assert f'value="{"k" * 32}"' in page.text
    assert 'value="7"' in page.text or "7" not in str(typed)
    assert await store.orders(None, 10, None) == []


async def test_adding_a_line_keeps_the_input(olga: Visitor, store: OrderStore) -> None:
    """The button adds a line to an incomplete form, too, and places nothing."""
    page = await olga.post(
        "/board/new-order",
        more="more",
        key="k" * 32,
        customer_id="bob",
        item=["a", "b"],
        quantity="7",
    )

    assert page.status_code == 200
    assert page.text.count('name="item"') == 5
    assert 'value="bob"' in page.text
    assert 'value="b"' in page.text
    assert await store.orders(None, 10, None) == []


async def test_an_order_id_in_use_is_reported_at_its_field(
    olga: Visitor, store: OrderStore
) -> None:
    """The answer is a conflict, and the existing order stays unchanged."""
    await store.accept(order("o1"))

    page = await olga.post(
        "/board/new-order", order_id="o1", customer_id="eve", item="cars", quantity="1"
    )

    assert page.status_code == 409
    assert 'id="order_id-help">This ID belongs to another order.' in page.text
    kept = await store.order("o1")
    assert kept is not None
    assert kept.customer_id == "alice"


async def test_an_id_of_another_workflow_is_reported_at_its_field(
    olga: Visitor, store: OrderStore
) -> None:
    """The answer is a conflict, and no order is stored."""
    await store.record_start("o1")

    page = await olga.post(
        "/board/new-order", order_id="o1", customer_id="eve", item="cars", quantity="1"
    )

    assert page.status_code == 409
    expected = 'id="order_id-help">This ID belongs to a workflow that is not an order.'
    assert expected in page.text
    assert await store.order("o1") is None


async def test_a_changed_form_after_the_back_button_places_a_new_order(
    olga: Visitor, store: OrderStore
) -> None:
    """The page says that the first order was placed, and offers a new id."""
    fields = {"key": "k" * 32, "customer_id": "bob", "item": "cars"}
    await olga.post("/board/new-order", quantity="1", **fields)

    page = await olga.post("/board/new-order", quantity="2", **fields)

    assert page.status_code == 409
    assert "already placed an order" in page.text
    assert "k" * 32 not in page.text
    assert len(await store.orders(None, 10, None)) == 1


async def test_the_stock_page_shows_available_reserved_and_sold_items(
    vera: Visitor, store: OrderStore, inventory: RestockableInventory
) -> None:
    """Each item has its numbers, and a bar with the same in words."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.COMPLETED)
    (available,) = [each for each in (await inventory.stock()).items if each.item == "cars"]

    page = await vera.get("/board/stock")

    assert f"cars: {available.available} available, 0 reserved, 11 sold" in page.text
    assert not re.search(r"\sstyle=", page.text)


async def test_the_stock_page_works_without_inventory(
    olga: Visitor, store: OrderStore, inventory: RestockableInventory
) -> None:
    """It says that inventory is unavailable, and shows the figures of orders."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.COMPLETED)
    inventory.failures.append(Problem(503, "STORE_UNAVAILABLE", "away"))
    inventory.failures.append(Problem(503, "STORE_UNAVAILABLE", "away"))

    stock = await olga.get("/board/stock")
    form = await olga.get("/board/new-order")

    assert "Inventory is not responding" in stock.text
    assert "cars: 11" in stock.text
    assert form.status_code == 200


async def test_stock_is_added_once(
    olga: Visitor, inventory: RestockableInventory, visited: Visited
) -> None:
    """Submitting the same form twice adds its quantity once."""
    before, _ = inventory.quantities("cars")
    page = await olga.get("/board/stock")
    key = re.search(r'name="key" value="([0-9a-f]{32})"', page.text)
    assert key

    answers = [
        await olga.post("/board/stock/restock", item="cars", quantity="5", key=key[1])
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert inventory.quantities("cars")[0] == before + 5
    assert (await visited.audit.page(1, None))[0].action == "stock.restock"


async def test_restocking_with_an_unknown_outcome_can_be_repeated(
    olga: Visitor, inventory: RestockableInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lost response the form keeps its key, so that the quantity is added once."""
    before, _ = inventory.quantities("cars")

    async def lose_the_answer(request: RestockRequest) -> Stock:
        await inventory.service.restock(request)
        raise Problem(503, "STORE_UNAVAILABLE", "away")

    with monkeypatch.context() as context:
        context.setattr(inventory, "restock", lose_the_answer)
        page = await olga.post("/board/stock/restock", item="cars", quantity="5", key="0" * 32)
    assert page.status_code == 503
    assert "It is not known whether this was done" in page.text
    fields = dict(re.findall(r'name="(item|quantity|key)" value="([^"]*)"', page.text))
    again = await olga.post("/board/stock/restock", **fields)

    assert again.status_code == 303
    assert inventory.quantities("cars")[0] == before + 5


@pytest.mark.parametrize("item", ["", "\0", "x" * 129])
async def test_restocking_an_unknown_item_is_refused(olga: Visitor, item: str) -> None:
    """The error blames the request, not the service."""
    page = await olga.post("/board/stock/restock", item=item, quantity="5", key="0" * 32)

    assert page.status_code == 422


@pytest.mark.parametrize(
    "pieces", ["", "0", "-1", "1.5", "2,50", "1,000", "1_000", "+5", "1000001", "many"]
)
async def test_restocking_an_invalid_quantity_is_refused(
    olga: Visitor, inventory: RestockableInventory, visited: Visited, pieces: str
) -> None:
    """The input stays, no stock is added, and the audit trail says so."""
    before = inventory.quantities("cars")

    page = await olga.post("/board/stock/restock", item="cars", quantity=pieces, key="0" * 32)

    assert page.status_code == 422
    assert f'value="{pieces}"' in page.text
    assert inventory.quantities("cars") == before
    assert (await visited.audit.page(1, None))[0].outcome == "INVALID_INPUT"


async def test_open_pages_are_notified_of_changes_together(
    store: OrderStore, feed: StatusFeed
) -> None:
    """A page is notified at once, then after changes, several of which may be combined."""
    changes = ChangeFeed(feed)
    pages = [changes.listener() for _ in range(3)]
    first = [asyncio.ensure_future(page()) for page in pages]
    await asyncio.gather(*first)
    waiting = [asyncio.ensure_future(page()) for page in pages]
    await until(lambda: len(feed._followers) == 1)
    assert not any(task.done() for task in waiting)

    for number in range(3):
        feed.publish((await store.accept(order(f"o{number}"))).first)
    await asyncio.wait_for(asyncio.gather(*waiting), 10)

    feed.close()

    async def listen_to_the_end() -> int:
        for more in itertools.count():
            try:
                await pages[0]()
            except StopAsyncIteration:
                return more
        raise AssertionError

    assert await asyncio.wait_for(listen_to_the_end(), 10) <= 2


async def test_a_notification_names_the_changed_orders(
    store: OrderStore, feed: StatusFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order's page ignores other orders; the first and very large notifications name none."""
    monkeypatch.setattr("orders.board.change_feed.MAX_NAMED", 2)
    changes = ChangeFeed(feed)
    next_change = changes.listener()
    assert (await next_change()).subjects == frozenset()
    waiting = asyncio.ensure_future(next_change())
    await until(lambda: len(feed._followers) == 1)

    feed.publish((await store.accept(order("first"))).first)
    assert (await asyncio.wait_for(waiting, 10)).subjects == {"first"}

    for number in range(3):
        feed.publish((await store.accept(order(f"o{number}"))).first)
    await until(lambda: changes._changes == 4)
    assert (await next_change()).subjects == frozenset()


async def test_the_notifications_of_another_session_are_refused(olga: Visitor) -> None:
    """After another user has signed in, a page opened before gets no notifications."""
    answer = await olga.client.get(
        "/board/changes", params={"session": "0" * 16}, headers={"Accept": "text/event-stream"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_CHANGED")


@pytest.mark.parametrize("csrf", ["of-before", ""])
async def test_an_order_form_survives_an_ended_session(
    olga: Visitor, store: OrderStore, csrf: str
) -> None:
    """The form has all lines, and can be submitted once."""
    before = Visitor(olga.client, csrf)
    items, quantities = [f"item-{n}" for n in range(5)], [str(n + 11) for n in range(5)]
    typed = {"key": "k" * 32, "customer_id": NASTY, "item": items, "quantity": quantities}

    page = await before.post("/board/new-order", **typed)

    assert page.status_code == 403
    assert NASTY not in page.text
    for value in (*items, *quantities, "k" * 32, olga.csrf):
        assert f'value="{value}"' in page.text
    assert await store.orders(None, 10, None) == []


async def test_a_restock_form_survives_an_ended_session(
    olga: Visitor, inventory: RestockableInventory
) -> None:
    """Item and quantity are unchanged, and no stock is added."""
    before = inventory.quantities("computers")

    page = await Visitor(olga.client, "of-before").post(
        "/board/stock/restock", item="computers", quantity="77", key="0" * 32
    )

    assert page.status_code == 403
    assert "<option selected>computers</option>" in page.text
    assert 'value="77"' in page.text
    assert inventory.quantities("computers") == before


async def test_a_rejection_is_explained_on_the_page(vera: Visitor, store: OrderStore) -> None:
    """The sentence stands beside the status and in the timeline, with its markup as text."""
    detail = "<b> denied it: too many cars"
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.REJECTED, reason="denied", detail=detail)
    await store.reject_invalid("o2", Invalid("quantity is 0.", "eve", LINES))

    denied = await vera.get("/board/orders/o1")
    invalid = await vera.get("/board/orders/o2")

    assert denied.text.count(html.escape(detail)) == 2
    assert invalid.text.count("quantity is 0.") == 2
    assert "eve" in text_of(invalid.text)


async def test_a_refused_order_shows_nothing_of_the_workflow_that_has_its_id(
    vera: Visitor, store: OrderStore, histories: MemoryHistories
) -> None:
    """The page explains the rejection; the steps of the other workflow are not the order's."""
    step = "interactive_hello_activity"
    histories.known["o1"] = [
        HistoryEvent(event_id=None, at=now(), type=kind, name=step)
        for kind in ("task_scheduled", "task_completed")
    ]
    await store.record_start("o1")
    await store.reject_invalid("o1", Invalid.taken(order("o1")))

    page = await vera.get("/board/orders/o1")

    assert "Reason: id taken." in page.text
    assert "The ID belongs to another workflow." in text_of(page.text)
    assert "Submission with a taken ID rejected" in text_of(page.text)
    assert step not in page.text
