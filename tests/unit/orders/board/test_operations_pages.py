"""The pages of batches, tasks and the audit trail, and the button that retries a rollback."""

from pathlib import Path
from typing import Any

import pytest

from fakes.orders_ports import MemoryEngine, Promised
from fakes.visitors import Visited, Visitor
from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted, Reason
from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_hosting.web import Site
from orderflow_hosting.web.audit_pages import audit_pages
from orders.attention.service import Attention
from orders.attention.store import AttentionStore
from orders.batches.records import run_id_of
from orders.batches.service import entries_of
from orders.batches.store import BatchStore
from orders.board.pages.attention_pages import attention_pages
from orders.board.pages.batch_pages import batch_pages
from orders.board.pages.site import TONES
from orders.board.pages.task_pages import task_pages
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.tables import ACCESS
from orders.tasks.messages import TaskOrder
from orders.tasks.service import Tasks
from orders.tasks.store import TaskStore

MARKUP = "<b>bold</b>"


@pytest.fixture
def batches(database: Database) -> BatchStore:
    return BatchStore(database)


@pytest.fixture
def visited(
    database: Database,
    store: OrderStore,
    batches: BatchStore,
    engine: MemoryEngine,
    tmp_path: Path,
) -> Visited:
    site = Site("Orders", "orders")
    visited = Visited(site, database, ACCESS, tmp_path)
    undo = OrderUndo(engine, store)
    attention = Attention(AttentionStore(database), engine, undo, BackgroundWork())
    visited.serve(
        attention_pages(attention),
        batch_pages(site, batches),
        task_pages(site, Tasks(TaskStore(database), engine)),
        audit_pages(site, visited.audit, "/board/audit"),
    )
    return visited


@pytest.fixture
async def olga(visited: Visited) -> Visitor:
    return await visited.visitor("olga")


@pytest.fixture
async def vera(visited: Visited) -> Visitor:
    return await visited.visitor("vera")


# Batches


async def keep(batches: BatchStore, batch_id: str, *orders: Any) -> None:
    await batches.save(batch_id, entries_of(BatchSubmitted(batch_id=batch_id, orders=orders)))


async def test_a_batch_shows_its_progress(
    batches: BatchStore, store: OrderStore, vera: Visitor
) -> None:
    """Refused orders have ended, running ones have not; each has its reason and detail, as text."""
    await keep(
        batches,
        "b1",
        {"order_id": "a", "item": "cars", "quantity": 1},
        {"order_id": "b", "item": MARKUP, "quantity": 1},
        {"order_id": "c", "item": "cars", "quantity": -1},
        MARKUP,
    )
    await store.record("a", run_id_of("b1", "a"), OrderStatus.COMPLETED, total_cents=15_000_00)

    one = (await vera.get("/board/batches/b1")).text
    every = (await vera.get("/board/batches")).text

    assert "3 of 4 orders have ended" in one
    assert '<progress value="3" max="4"' in one
    assert "$15,000.00" in one
    assert "/board/orders/b" in one
    assert "entry 4, no ID" in one
    assert "lines.0.quantity is -1: Input should be greater than or equal to 1." in one
    assert "body is &#34;&lt;b&gt;bold&lt;/b&gt;&#34;: must be an object." in one
    assert MARKUP not in one
    assert '<progress value="3" max="4"' in every


async def test_a_running_batch_updates_itself(batches: BatchStore, vera: Visitor) -> None:
    """The page of a finished batch makes no more requests."""
    await keep(batches, "b1", {"order_id": "a", "item": "cars", "quantity": 1})
    await keep(batches, "b2", "nonsense")
    await batches.conclude("b2")

    assert "every 5s" in (await vera.get("/board/batches/b1")).text
    assert "every 5s" not in (await vera.get("/board/batches/b2")).text


async def test_batches_are_listed_page_by_page(batches: BatchStore, vera: Visitor) -> None:
    """Twenty at a time, the newest first."""
    for number in range(21):
        await keep(batches, f"b{number}", {"order_id": f"o{number}", "item": "x", "quantity": 1})

    first = (await vera.get("/board/batches")).text
    (following,) = [part.split('"')[0] for part in first.split('href="') if "?after=" in part[:60]]
    second = (await vera.get(following)).text

    assert first.index("/board/batches/b20") < first.index("/board/batches/b1")
    assert '/board/batches/b0"' not in first
    assert '/board/batches/b0"' in second


async def test_an_empty_list_and_an_unknown_batch_say_so(vera: Visitor) -> None:
    """Each page has a sentence about it."""
    assert "No batches yet" in (await vera.get("/board/batches")).text
    missing = await vera.get("/board/batches/none")
    assert missing.status_code == 404
    assert "here is no batch none" in missing.text


# Tasks


@pytest.fixture
async def task(database: Database, engine: MemoryEngine) -> str:
    """Make an open task with its workflow."""
    order = TaskOrder(task_id="task-1", title=MARKUP, assignee="ann")
    await engine.start("task_processing_workflow", "t1", order)
    await TaskStore(database).receive("task-1", "t1", MARKUP, order_id="o1")
    return "task-1"


@pytest.mark.usefixtures("task")
async def test_a_task_can_be_completed_on_the_page(
    olga: Visitor, engine: MemoryEngine, visited: Visited
) -> None:
    """The page confirms it, the workflow gets the event, and the audit trail has the user."""
    page = (await olga.get("/board/tasks")).text
    assert MARKUP not in page
    assert "&lt;b&gt;bold" in page

    answer = await olga.post("/board/tasks/task-1/complete")

    assert answer.headers["Location"] == "/board/tasks?done=task-1"
    assert "Task task-1 is done" in (await olga.get(answer.headers["Location"])).text
    assert engine.raised[0][:2] == ("t1", "task_completed")
    (entry,) = await visited.audit.page(10, None)
    assert (entry.action, entry.subject, entry.outcome) == ("task.complete", "task-1", "done")


async def test_completing_an_ended_task_is_refused_on_the_page(
    task: str, database: Database, olga: Visitor, visited: Visited
) -> None:
    """The answer is 409 with the current list, which no longer has the task."""
    await TaskStore(database).end(task, TaskStatus.WITHDRAWN)

    answer = await olga.post("/board/tasks/task-1/complete")

    assert answer.status_code == 409
    assert "Task task-1 has ended: it is withdrawn" in answer.text
    assert "No open tasks" in answer.text
    assert "withdrawn" in (await olga.get("/board/tasks?show=all")).text
    (entry,) = await visited.audit.page(10, None)
    assert entry.outcome == "TASK_ENDED"


@pytest.mark.usefixtures("task")
async def test_an_unavailable_engine_is_reported_on_the_page(
    engine: MemoryEngine, olga: Visitor
) -> None:
    """The answer is 503, and the task stays open."""
    engine.is_down = True

    answer = await olga.post("/board/tasks/task-1/complete")

    assert answer.status_code == 503
    assert "/board/tasks/task-1/complete" in answer.text


@pytest.mark.usefixtures("task")
async def test_only_an_operator_completes_tasks(vera: Visitor, engine: MemoryEngine) -> None:
    """Others see the list without buttons."""
    assert "/complete" not in (await vera.get("/board/tasks")).text
    assert (await vera.post("/board/tasks/task-1/complete")).status_code == 403
    assert engine.raised == []


@pytest.mark.usefixtures("task")
async def test_completing_a_task_needs_the_form_token(olga: Visitor, engine: MemoryEngine) -> None:
    """The form must be from a page of the same session."""
    assert (await olga.post("/board/tasks/task-1/complete", csrf="")).status_code == 403
    assert engine.raised == []


# The audit trail


async def test_only_operators_read_the_audit_trail(
    visited: Visited, olga: Visitor, vera: Visitor
) -> None:
    """It has pages, newest entries first, and can be filtered by subject; details are escaped."""
    principal = type("P", (), {"name": MARKUP, "via": "session"})()
    for number in range(51):
        entry = await visited.audit.begin(principal, "thing.do", f"s{number}", {"x": MARKUP})
        await visited.audit.end(entry, "done" if number else "NOT_ALLOWED")

    first = (await olga.get("/board/audit")).text
    (following,) = [part.split('"')[0] for part in first.split('href="') if "after=" in part[:60]]
    second = (await olga.get(following.replace("&amp;", "&"))).text
    about = (await olga.get("/board/audit?subject=+s7+")).text

    assert MARKUP not in first
    assert first.index(">s50<") < first.index(">s1<")
    assert ">s0<" not in first
    assert ">s0<" in second
    assert "NOT_ALLOWED" in second
    assert ">s7<" in about
    assert ">s8<" not in about
    assert (await vera.get("/board/audit")).status_code == 403


# Retrying


@pytest.fixture
async def orders_with_attention(store: OrderStore) -> None:
    """Make an order that needs attention, and one that does not."""
    for order_id in ("o1", "o2"):
        line = OrderLine(item="cars", quantity=4)
        await store.accept(OrderSubmitted(order_id=order_id, customer_id="a", lines=(line,)))
    await store.record("o1", "run", OrderStatus.NEEDS_ATTENTION, reason=Reason.UNDO_FAILED)


@pytest.mark.usefixtures("orders_with_attention")
async def test_a_retry_is_recorded_with_the_operators_name(
    database: Database, olga: Visitor, vera: Visitor
) -> None:
    """It needs an operator and the session's form token."""
    assert (await vera.post("/board/orders/o1/retry")).status_code == 403
    assert (await olga.post("/board/orders/o1/retry", csrf="x")).status_code == 403

    answer = await olga.post("/board/orders/o1/retry")

    assert answer.headers["Location"] == "/board/orders/o1?done=retry"
    found = await AttentionStore(database).attention("o1")
    assert found is not None
    assert (found.retried_by, found.retries) == ("olga", 1)


@pytest.mark.usefixtures("orders_with_attention")
async def test_retrying_an_order_that_needs_no_attention_is_refused(
    olga: Visitor, publisher: Promised
) -> None:
    """The pages have the status 409 or 404, and a sentence."""
    published = publisher.statuses

    refused = await olga.post("/board/orders/o2/retry")
    unknown = await olga.post("/board/orders/o3/retry")

    assert (refused.status_code, unknown.status_code) == (409, 404)
    assert "needs no attention" in refused.text
    assert publisher.statuses == published


def test_every_status_of_an_order_has_a_colour() -> None:
    """A new status must not look like a normal one by accident."""
    assert {status.value for status in OrderStatus} <= set(TONES)
