"""Every field of an order is present wherever an order is stored, sent or shown."""

import io
from typing import Any

import httpx
import pytest
from rich.console import Console

from fakes.access import opened
from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import MemoryEngine
from fakes.pauses import short_pause
from fakes.waiting import until
from orderflow_cli import show
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.orders import OrderDetails, OrderSubmitted
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters
from orders.batches.service import Batches
from orders.batches.store import BatchStore
from orders.board.pages.new_order_form import OrderForm, read_form
from orders.config import OrdersSettings
from orders.http import http_app
from orders.ordering.api import order_router
from orders.ordering.feed import StatusFeed
from orders.ordering.new_runs import NewRuns
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.saved_histories import SavedHistories
from orders.tables import DEAD_LETTERS

DATA: dict[str, Any] = {
    "order_id": "o1",
    "customer_id": "alice",
    "lines": [{"item": "tea set", "quantity": 7}],
    "field_of_a_test": "2026-12-24",
}
"""A value for each field. A new field of the model needs one here, or the first test fails."""

FORM = {"customer_id": ["alice"], "order_id": ["o1"], "item": ["tea set"], "quantity": ["7"]}


pytestmark = pytest.mark.usefixtures("one_more_field")


@pytest.fixture
async def http(intake: Intake, store: OrderStore, feed: StatusFeed) -> httpx.AsyncClient:
    app = opened(http_app(order_router(intake, store, feed)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://orders")


def fields_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the order's fields from a JSON document."""
    return {name: document.get(name) for name in OrderDetails.model_fields}


def test_the_tests_set_every_field() -> None:
    """The following tests cannot miss a field."""
    assert set(DATA) == set(OrderDetails.model_fields)
    assert fields_of(OrderSubmitted.model_validate(DATA).model_dump(mode="json")) == DATA


def test_a_new_field_has_a_default() -> None:
    """Stored orders and other publishers do not have it."""
    for name in OrderDetails.further_fields():
        assert not OrderDetails.model_fields[name].is_required()


async def test_the_api_accepts_and_returns_every_field(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """The response, the order, the list and the workflow's input have it."""
    placed = await http.post("/orders", json=DATA)
    found = await http.get("/orders/o1")
    listed = await http.get("/orders")
    await until(lambda: bool(engine.runs["o1"]))

    assert fields_of(placed.json()) == DATA
    assert fields_of(found.json()) == DATA
    assert fields_of(listed.json()["items"][0]) == DATA
    (run,) = engine.runs["o1"]
    assert fields_of(run.model_dump(mode="json")) == DATA


async def test_a_run_that_is_started_again_has_every_field(
    intake: Intake, store: OrderStore, engine: MemoryEngine
) -> None:
    """A new process starts the workflow of an order that the engine has lost."""
    await store.accept(OrderSubmitted.model_validate(DATA))

    await intake.resume()
    await until(lambda: bool(engine.runs["o1"]))

    assert fields_of(engine.runs["o1"][0].model_dump(mode="json")) == DATA


async def test_an_order_of_a_batch_keeps_every_field(
    settings: OrdersSettings,
    database: Database,
    store: OrderStore,
    feed: StatusFeed,
) -> None:
    """It is stored like an order outside a batch."""
    engine = ManagedMemoryEngine()
    letters = DeadLetters(database, DEAD_LETTERS, subject_of=readable_order_id)
    undo = OrderUndo(engine, store)
    async with BackgroundWork(short_pause) as background:
        batches = Batches(
            *(settings, BatchStore(database), engine, feed),
            *(undo, letters, background),
            new_runs=NewRuns(settings, store, SavedHistories(database), engine),
        )
        await batches.submit(BatchSubmitted(batch_id="b1", orders=(DATA,)))
    order = await store.order("o1")

    assert order is not None
    assert fields_of(order.model_dump(mode="json")) == DATA


@pytest.mark.parametrize("name", [name for name in DATA if name not in ("order_id", "lines")])
def test_a_difference_in_any_field_is_other_content(name: str) -> None:
    """An id is never reused for another order."""
    order = OrderSubmitted.model_validate(DATA)
    other = OrderSubmitted.model_validate({**DATA, name: "2027-01-01"})

    assert order.same_content_as(OrderSubmitted.model_validate(DATA))
    assert not order.same_content_as(other)


async def test_the_command_line_shows_every_field(store: OrderStore) -> None:
    """Pages are tested beside the other tests of pages."""
    await store.accept(OrderSubmitted.model_validate(DATA))
    order = await store.order("o1")
    assert order is not None
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show, "console", lambda: Console(file=printed, width=100))
        show.show_order(order)

    for text in ("o1", "alice", "tea set", "7", "2026-12-24"):
        assert text in printed.getvalue(), text


def test_the_form_accepts_every_field() -> None:
    """An order placed on a page equals one placed by other means."""
    form = read_form({**FORM, "field_of_a_test": ["2026-12-24"]})
    order = form.read()

    assert isinstance(order, OrderSubmitted)
    assert order.model_dump(mode="json") == DATA
    wrong = read_form({**FORM, "field_of_a_test": ["tomorrow"]}).read()
    assert isinstance(wrong, OrderForm)
    assert set(wrong.errors) == {"field_of_a_test"}
