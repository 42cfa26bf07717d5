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
from orders.board.pages import board_pages
from orders.board.pages.board_pages import board_router
from orders.board.pages.new_order_pages import new_order_router
from orders.board.pages.order_pages import OrderPages
from orders.board.pages.site import orders_site
from orders.board.pages.stock_levels import Stocks
from orders.board.pages.stock_pages import stock_router
from orders.board.pulse import Pulse
from orders.board.store import BoardStore
from orders.ordering.actions import Action, Step
from orders.ordering.feed import StatusFeed
from orders.ordering.service import Intake
from orders.ordering.steps import ACTIONS
from orders.ordering.store import OrderStore
from orders.payments.ledger import LedgerProvider
from orders.tables import ACCESS
from orders.tasks.store import TaskStore

NASTY = "<script>alert('x')</script>\" onload=\"é"
RAW = ("<script>alert", 'onload="é', "<b>")
LINES = (OrderLine(item="cars", quantity=11),)


@dataclass
class MemoryHistories:
    """The histories that the engine tells, unless it is away."""

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
    """What is known of orders that need attention."""

    known: dict[str, OrderAttention] = field(default_factory=dict)

    async def of(self, order_id: str) -> OrderAttention | None:
        return self.known.get(order_id)


class Shelf(RoomInventory):
    """The real stock room, which can be restocked, or be away."""

    async def restock(self, request: RestockRequest) -> Stock:
        self._fail()
        return await self.service.restock(request)


@pytest.fixture
async def shelf() -> Shelf:
    shelf = Shelf()
    await shelf.open()
    return shelf


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
    shelf: Shelf,
    histories: MemoryHistories,
    attention: MemoryAttention,
) -> Visited:
    site = orders_site("http://127.0.0.1:8003")
    visited = Visited(site, database, ACCESS, tmp_path)
    board, pulse, stocks = BoardStore(database), Pulse(feed), Stocks(shelf)

    async def is_current(_: object) -> bool:
        return True

    pages = OrderPages(
        site=site,
        store=OrderStore(database),
        board=board,
        payments=LedgerProvider(database),
        tasks=TaskStore(database),
        intake=intake,
        histories=histories,
        attention=attention,
        inbox_url="http://approvals:8003/",
    )
    visited.serve(
        board_router(site, board, pulse, is_current),
        pages.router(),
        new_order_router(site, intake, stocks),
        stock_router(site, board, stocks),
    )
    return visited


@pytest.fixture
async def olga(visited: Visited) -> AsyncIterator[Visitor]:
    """Somebody who runs the shop."""
    visitor = await visited.visitor("olga")
    yield visitor
    await visitor.client.aclose()


@pytest.fixture
async def vera(visited: Visited) -> AsyncIterator[Visitor]:
    """Somebody who may look."""
    visitor = await visited.visitor("vera")
    yield visitor
    await visitor.client.aclose()


def order(order_id: str = "o1", customer_id: str = "alice", item: str = "cars") -> OrderSubmitted:
    lines = (OrderLine(item=item, quantity=11),)
    return OrderSubmitted(order_id=order_id, customer_id=customer_id, lines=lines)


def text_of(page: str) -> str:
    """Leave out the markup, so that words can be looked for."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def shown_ids(page: str) -> list[str]:
    return re.findall(r'<tr id="order-([^"]+)">', page)


async def test_an_empty_board_says_so(vera: Visitor) -> None:
    """Nothing to see is a sentence, not an empty table."""
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


async def test_a_status_filters(vera: Visitor, store: OrderStore) -> None:
    """A chip leads to the orders of its status, and shows that it is chosen."""
    await store.accept(order("o1"))
    await store.accept(order("o2"))
    await store.record("o1", "run", OrderStatus.FAILED, reason="inventory_unavailable")

    page = await vera.get("/?status=failed")

    assert shown_ids(page.text) == ["o1"]
    assert re.search(r'href="/\?status=failed" aria-current="true"', page.text)
    assert "inventory unavailable" in page.text


async def test_a_search_keeps_what_was_typed(vera: Visitor, store: OrderStore) -> None:
    """What was looked for stands in the form again, and goes along to the next page."""
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


async def test_a_page_deep_in_the_list_is_not_disturbed(
    vera: Visitor, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its live part has the counts and a word on what is new, and none of its orders."""
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


async def test_the_time_that_is_shown_finds_its_order(
    vera: Visitor, store: OrderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed into both fields as it is shown, in the reader's zone; other pages keep the zone."""
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
async def test_a_search_that_cannot_be_says_what_is_wrong(
    vera: Visitor, query: str, words: str
) -> None:
    """The field is marked, what was typed stays, and nothing is listed."""
    page = await vera.get(f"/?{query}")

    assert page.status_code == 422
    assert words in page.text
    assert 'aria-invalid="true"' in page.text


@pytest.mark.parametrize("after", ["x", "%F0", "bjE7", "aW8x"])
async def test_a_place_that_is_none_is_a_problem(vera: Visitor, after: str) -> None:
    """A cursor of nobody's is refused, on a page."""
    page = await vera.get(f"/?after={after}")

    assert page.status_code == 422
    assert page.headers["content-type"].startswith("text/html")


async def test_markup_shows_as_text_everywhere(
    olga: Visitor, store: OrderStore, histories: MemoryHistories
) -> None:
    """Whatever a customer or an item is called, or an error says, it is shown as it is."""
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


async def test_who_has_not_signed_in_sees_nothing(visited: Visited) -> None:
    """Every page leads to the sign-in first."""
    nobody = await visited.visitor(None)

    for path in ("/", "/board/orders/o1", "/board/new-order", "/board/stock", "/board/changes"):
        page = await nobody.get(path)
        assert (page.status_code, page.headers["location"].split("?")[0]) == (303, "/sign-in")
    await nobody.client.aclose()


async def test_a_viewer_looks_and_does_nothing(vera: Visitor, store: OrderStore) -> None:
    """Viewers see no actions, and what they send all the same is refused."""
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
    """Without the text of the session's own forms nothing is done."""
    await store.accept(order("o1"))
    forged = Visitor(olga.client, "another's")

    page = await forged.post(
        f"/board/{path}", customer_id="x", item="cars", quantity="1", key="0" * 32
    )

    assert page.status_code == 403
    assert "another session" in page.text
    assert await visited.audit.page(10, None) == []
    assert len(await store.orders(None, 10, None)) == 1


async def test_an_order_is_cancelled_after_a_question(
    olga: Visitor, store: OrderStore, visited: Visited
) -> None:
    """The question says what will happen; the answer is done once, told, and audited."""
    await store.accept(order("o1"))

    question = await olga.get("/board/orders/o1/cancel")
    answer = await olga.post("/board/orders/o1/cancel")
    page = await olga.get(answer.headers["location"])

    assert "goods go back on the shelf" in question.text
    assert (await store.order("o1")) is not None
    assert answer.status_code == 303
    assert "Cancellation requested." in page.text
    assert "cancellation requested" in page.text
    assert "/board/orders/o1/cancel" not in page.text
    (entry,) = await visited.audit.page(10, None)
    assert (entry.actor, entry.action, entry.subject, entry.outcome) == (
        "olga",
        "order.cancel",
        "o1",
        "done",
    )


async def test_an_order_that_has_ended_cannot_be_cancelled(
    olga: Visitor, store: OrderStore, visited: Visited
) -> None:
    """Both the question and the answer say that it is too late."""
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
async def test_an_order_that_is_not_there(olga: Visitor, path: str) -> None:
    """There is a page for that, too."""
    page = await olga.get(f"/board/orders/{path}")

    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")


async def test_an_order_tells_its_money_and_stock(
    vera: Visitor, store: OrderStore, payments: LedgerProvider
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


async def test_the_story_is_told_without_the_engine(
    vera: Visitor, store: OrderStore, histories: MemoryHistories
) -> None:
    """If a workflow was purged or the engine is away, the page says so and shows the statuses."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.REJECTED, reason="out_of_stock")

    purged = await vera.get("/board/orders/o1")
    histories.is_down = True
    away = await vera.get("/board/orders/o1")

    assert "no longer knows this order" in text_of(purged.text)
    assert "is not answering right now" in text_of(away.text)
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
    """Found by reflection: what was done is in the timeline, and what was not undone is named."""
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


async def test_an_order_that_waits_leads_to_its_approval(vera: Visitor, store: OrderStore) -> None:
    """Whoever sees that it waits can go to where it is decided."""
    await store.accept(order("o1"))
    before = await vera.get("/board/orders/o1")
    await store.record("o1", "run", OrderStatus.AWAITING_APPROVAL, total_cents=9_000_000)

    page = await vera.get("/board/orders/o1")

    assert "inbox/requests" not in before.text
    assert 'href="http://approvals:8003/inbox/requests/o1"' in page.text


async def test_what_needs_attention_can_be_tried_again(
    olga: Visitor, vera: Visitor, store: OrderStore, attention: MemoryAttention
) -> None:
    """Until it is settled, what is not undone is named, and operators may try again."""
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
    """A form that is sent twice places one order, and both answers lead to it."""
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
async def test_pages_show_and_take_every_field_of_an_order(olga: Visitor) -> None:
    """A field that is added to the model needs no change to a page."""
    form = await olga.get("/board/new-order")
    sent = {"order_id": "o1", "customer_id": "alice", "item": "cars", "quantity": "1"}
    answer = await olga.post("/board/new-order", **sent, delivery_date="2026-12-24")
    page = await olga.get("/board/orders/o1")

    assert "Delivery date" in text_of(form.text)
    assert answer.status_code == 303
    assert "Delivery date 2026-12-24" in text_of(page.text)


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
async def test_an_order_that_cannot_be_says_where(
    olga: Visitor, store: OrderStore, fields: dict[str, str], marked: str
) -> None:
    """The field is marked, what was typed is kept, and nothing is placed."""
    typed = {"key": "k" * 32, "customer_id": "bob", "item": "cars", "quantity": "7", **fields}

    page = await olga.post("/board/new-order", **typed)

    assert page.status_code == 422
    assert f'id="{marked}-help"' in page.text
    assert f'value="{"k" * 32}"' in page.text
    assert 'value="7"' in page.text or "7" not in str(typed)
    assert await store.orders(None, 10, None) == []


async def test_more_lines_keep_what_was_typed(olga: Visitor, store: OrderStore) -> None:
    """The button gives room, also while something is missing, and places nothing."""
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


async def test_an_id_that_is_taken_is_said_at_its_field(olga: Visitor, store: OrderStore) -> None:
    """Another order's id is refused as a conflict, and that order stays as it is."""
    await store.accept(order("o1"))

    page = await olga.post(
        "/board/new-order", order_id="o1", customer_id="eve", item="cars", quantity="1"
    )

    assert page.status_code == 409
    assert 'id="order_id-help">This ID belongs to another order.' in page.text
    kept = await store.order("o1")
    assert kept is not None
    assert kept.customer_id == "alice"


async def test_a_form_that_was_sent_before_places_another_order_when_it_is_sent_again(
    olga: Visitor, store: OrderStore
) -> None:
    """Who goes back and changes what was placed is told so, and gets a new id."""
    fields = {"key": "k" * 32, "customer_id": "bob", "item": "cars"}
    await olga.post("/board/new-order", quantity="1", **fields)

    page = await olga.post("/board/new-order", quantity="2", **fields)

    assert page.status_code == 409
    assert "already placed an order" in page.text
    assert "k" * 32 not in page.text
    assert len(await store.orders(None, 10, None)) == 1


async def test_the_stock_shows_what_is_there_reserved_and_sold(
    vera: Visitor, store: OrderStore, shelf: Shelf
) -> None:
    """Each item has its numbers, and a bar with the same in words."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.COMPLETED)
    (available,) = [each for each in (await shelf.stock()).items if each.item == "cars"]

    page = await vera.get("/board/stock")

    assert f"cars: {available.available} available, 0 reserved, 11 sold" in page.text
    assert not re.search(r"\sstyle=", page.text)


async def test_stock_that_is_away_is_said(olga: Visitor, store: OrderStore, shelf: Shelf) -> None:
    """Without inventory there is still a page, with what orders knows itself."""
    await store.accept(order("o1"))
    await store.record("o1", "run", OrderStatus.COMPLETED)
    shelf.failures.append(Problem(503, "STORE_UNAVAILABLE", "away"))
    shelf.failures.append(Problem(503, "STORE_UNAVAILABLE", "away"))

    stock = await olga.get("/board/stock")
    form = await olga.get("/board/new-order")

    assert "Inventory is not responding" in stock.text
    assert "cars: 11" in stock.text
    assert form.status_code == 200


async def test_stock_is_put_on_the_shelf_once(
    olga: Visitor, shelf: Shelf, visited: Visited
) -> None:
    """The same form sent twice adds its pieces once."""
    before, _ = shelf.quantities("cars")
    page = await olga.get("/board/stock")
    key = re.search(r'name="key" value="([0-9a-f]{32})"', page.text)
    assert key

    answers = [
        await olga.post("/board/stock/restock", item="cars", quantity="5", key=key[1])
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert shelf.quantities("cars")[0] == before + 5
    assert (await visited.audit.page(1, None))[0].action == "stock.restock"


async def test_pieces_with_an_unknown_outcome_are_sent_again_as_the_same(
    olga: Visitor, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the answer is lost, the form comes again with its key, and adds its pieces once."""
    before, _ = shelf.quantities("cars")

    async def lose_the_answer(request: RestockRequest) -> Stock:
        await shelf.service.restock(request)
        raise Problem(503, "STORE_UNAVAILABLE", "away")

    with monkeypatch.context() as context:
        context.setattr(shelf, "restock", lose_the_answer)
        page = await olga.post("/board/stock/restock", item="cars", quantity="5", key="0" * 32)
    assert page.status_code == 503
    assert "It is not known whether this was done" in page.text
    fields = dict(re.findall(r'name="(item|quantity|key)" value="([^"]*)"', page.text))
    again = await olga.post("/board/stock/restock", **fields)

    assert again.status_code == 303
    assert shelf.quantities("cars")[0] == before + 5


@pytest.mark.parametrize("item", ["", "\0", "x" * 129])
async def test_pieces_of_an_item_that_cannot_be_are_refused(olga: Visitor, item: str) -> None:
    """It is what was sent that is wrong, not the service."""
    page = await olga.post("/board/stock/restock", item=item, quantity="5", key="0" * 32)

    assert page.status_code == 422


@pytest.mark.parametrize(
    "pieces", ["", "0", "-1", "1.5", "2,50", "1,000", "1_000", "+5", "1000001", "many"]
)
async def test_pieces_that_cannot_be_are_refused(
    olga: Visitor, shelf: Shelf, visited: Visited, pieces: str
) -> None:
    """What was typed stays, nothing is put on the shelf, and the trail says so."""
    before = shelf.quantities("cars")

    page = await olga.post("/board/stock/restock", item="cars", quantity=pieces, key="0" * 32)

    assert page.status_code == 422
    assert f'value="{pieces}"' in page.text
    assert shelf.quantities("cars") == before
    assert (await visited.audit.page(1, None))[0].outcome == "INVALID_INPUT"


async def test_open_pages_are_told_of_changes_together(store: OrderStore, feed: StatusFeed) -> None:
    """Each page is told at once, then when something changed, for several changes perhaps once."""
    pulse = Pulse(feed)
    pages = [pulse.listener() for _ in range(3)]
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


async def test_a_change_names_its_orders(
    store: OrderStore, feed: StatusFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an order's page leaves out others; the first, and too many at once, are of any."""
    monkeypatch.setattr("orders.board.pulse.MOST_NAMED", 2)
    pulse = Pulse(feed)
    next_change = pulse.listener()
    assert (await next_change()).subjects == frozenset()
    waiting = asyncio.ensure_future(next_change())
    await until(lambda: len(feed._followers) == 1)

    feed.publish((await store.accept(order("first"))).first)
    assert (await asyncio.wait_for(waiting, 10)).subjects == {"first"}

    for number in range(3):
        feed.publish((await store.accept(order(f"o{number}"))).first)
    await until(lambda: pulse._beats == 4)
    assert (await next_change()).subjects == frozenset()


async def test_the_changes_of_another_session_are_refused(olga: Visitor) -> None:
    """After somebody else has signed in, an open page of the one before follows nothing."""
    answer = await olga.client.get(
        "/board/changes", params={"session": "0" * 16}, headers={"Accept": "text/event-stream"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_CHANGED")


@pytest.mark.parametrize("csrf", ["of-before", ""])
async def test_an_order_of_the_session_before_keeps_what_was_typed(
    olga: Visitor, store: OrderStore, csrf: str
) -> None:
    """All lines stand in the form, which can be sent from there, once."""
    before = Visitor(olga.client, csrf)
    items, quantities = [f"item-{n}" for n in range(5)], [str(n + 11) for n in range(5)]
    typed = {"key": "k" * 32, "customer_id": NASTY, "item": items, "quantity": quantities}

    page = await before.post("/board/new-order", **typed)

    assert page.status_code == 403
    assert NASTY not in page.text
    for value in (*items, *quantities, "k" * 32, olga.csrf):
        assert f'value="{value}"' in page.text
    assert await store.orders(None, 10, None) == []


async def test_pieces_of_the_session_before_stay_in_the_form(olga: Visitor, shelf: Shelf) -> None:
    """Item and quantity are as they were, and nothing is put on the shelf."""
    before = shelf.quantities("computers")

    page = await Visitor(olga.client, "of-before").post(
        "/board/stock/restock", item="computers", quantity="77", key="0" * 32
    )

    assert page.status_code == 403
    assert "<option selected>computers</option>" in page.text
    assert 'value="77"' in page.text
    assert shelf.quantities("computers") == before
