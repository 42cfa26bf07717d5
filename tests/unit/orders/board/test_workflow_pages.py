"""The pages of workflows: finding, viewing and controlling instances, with confirmations."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from fakes.visitors import Visited, Visitor
from orderflow_hosting.database import Database
from orderflow_hosting.web import Site
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, RuntimeStatus
from orders.board.pages.workflow_pages import INSTANCES_ON_A_PAGE, workflow_pages
from orders.management.index import InstanceIndex
from orders.management.service import Management
from orders.management.sweeping import Sweep
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.tables import ACCESS

MARKUP = "<img src=x onerror=alert(1)>"
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def visited(
    database: Database,
    store: OrderStore,
    engine: ManagedMemoryEngine,
    index: InstanceIndex,
    tmp_path: Path,
) -> Visited:
    undo = OrderUndo(engine, store)
    management = Management(engine, store, undo, index=index, counter_pause_seconds=1)
    site = Site("Orders", "orders")
    visited = Visited(site, database, ACCESS, tmp_path)
    visited.serve(workflow_pages(site, management))
    return visited


@pytest.fixture
def sweep(engine: ManagedMemoryEngine, index: InstanceIndex) -> Sweep:
    return Sweep(engine, index)


@pytest.fixture
async def olga(visited: Visited) -> Visitor:
    return await visited.visitor("olga")


def an_event(number: int, **more: Any) -> HistoryEvent:
    return HistoryEvent(
        event_id=number, at=AT, type="task_scheduled", name=f"step{number}.", **more
    )


# Lists


async def test_instances_are_listed_and_filtered(
    engine: ManagedMemoryEngine, sweep: Sweep, olga: Visitor
) -> None:
    """By workflow and by status; a filtered list can be bookmarked."""
    engine.put("one", RuntimeStatus.RUNNING)
    engine.put("two", RuntimeStatus.FAILED, name="stock_monitor_workflow")
    await sweep.round()

    everything = (await olga.get("/board/workflows?name=&status=&find=")).text
    failed = (await olga.get("/board/workflows?status=FAILED")).text
    named = (await olga.get("/board/workflows?name=stock_monitor_workflow")).text

    assert "/board/workflows/one" in everything
    assert "/board/workflows/two" in everything
    for page in (failed, named):
        assert "/board/workflows/one" not in page
        assert "/board/workflows/two" in page


async def test_a_page_of_instances_that_have_changed_leads_to_the_next(
    engine: ManagedMemoryEngine, sweep: Sweep, olga: Visitor
) -> None:
    """What no longer matches is not shown, and the page says that there is another."""
    for number in range(INSTANCES_ON_A_PAGE):
        engine.put(f"i{number}", RuntimeStatus.FAILED)
    engine.put("z", RuntimeStatus.FAILED)
    await sweep.round()
    for number in range(INSTANCES_ON_A_PAGE):
        engine.put(f"i{number}", RuntimeStatus.RUNNING)

    first = await olga.get("/board/workflows?status=FAILED")
    assert "None found" in first.text
    (following,) = [p.split('"')[0] for p in first.text.split('href="') if "after=" in p[:90]]
    second = await olga.get(following.replace("&amp;", "&"))

    assert "/board/workflows/z" in second.text


async def test_a_damaged_instance_is_listed_and_has_a_page(
    engine: ManagedMemoryEngine, sweep: Sweep, olga: Visitor
) -> None:
    """The list says that it is damaged, and its page is a 409 page with a sentence."""
    for name in ("one", "two"):
        engine.put(name)
    await sweep.round()
    engine.damaged = {"one"}

    listed = await olga.get("/board/workflows")
    shown = await olga.get("/board/workflows/one")

    assert listed.text.count("History damaged") == 1
    assert "/board/workflows/two" in listed.text
    assert shown.status_code == 409
    assert "history of this workflow instance is damaged" in shown.text


async def test_any_id_leads_to_its_instance(olga: Visitor) -> None:
    """All characters of the id stay part of the path."""
    answer = await olga.get("/board/workflows?find=a%2Fb%3Fc")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/board/workflows/a%2Fb%3Fc")


async def test_an_unknown_instance_has_a_page(olga: Visitor) -> None:
    """The answer is a 404 page with a sentence."""
    answer = await olga.get("/board/workflows/nobody")

    assert answer.status_code == 404
    assert "here is no workflow instance nobody" in answer.text


async def test_an_unavailable_engine_has_a_page(
    engine: ManagedMemoryEngine, sweep: Sweep, olga: Visitor
) -> None:
    """The answer is a 503 page with a sentence."""
    engine.put("one")
    await sweep.round()
    engine.is_down = True

    assert (await olga.get("/board/workflows")).status_code == 503
    assert (await olga.get("/board/workflows/one")).status_code == 503


# Details


async def test_values_are_escaped(engine: ManagedMemoryEngine, olga: Visitor) -> None:
    """Input, custom status, failure and history may come from anyone."""
    failure = Failure(code="WORKFLOW_FAILED", type="T", message=MARKUP, activity=MARKUP)
    instance = engine.put("one", RuntimeStatus.FAILED, failure=failure, payload={"x": MARKUP})
    engine.instances["one"] = instance.model_copy(update={"custom_status": MARKUP})
    engine.histories["one"] = [an_event(1, input=MARKUP, error=MARKUP)]

    page = (await olga.get("/board/workflows/one")).text

    assert MARKUP not in page
    assert page.count("&lt;img src=x") >= 5


async def test_a_long_history_is_read_page_by_page(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """Newest first, a hundred events at a time."""
    engine.put("one")
    engine.histories["one"] = [an_event(number) for number in range(150)]

    newest = (await olga.get("/board/workflows/one")).text
    older = (await olga.get("/board/workflows/one?before=50")).text

    assert newest.index("step149.") < newest.index("step50.")
    assert "step49." not in newest
    assert "before=50" in newest
    assert "step49." in older
    assert "every 2s" not in older


async def test_only_possible_actions_are_offered(
    engine: ManagedMemoryEngine, visited: Visited
) -> None:
    """They depend on the instance's status, its workflow, and the viewer's role."""
    engine.put("runs")
    engine.put("rests", RuntimeStatus.SUSPENDED)
    engine.put("ended", RuntimeStatus.COMPLETED)
    engine.put("order", name="order_processing_workflow")
    engine.put("undo", name="order_undo_workflow")
    olga, vera = await visited.visitor("olga"), await visited.visitor("vera")

    async def offered(visitor: Visitor, instance_id: str) -> set[str]:
        page = (await visitor.get(f"/board/workflows/{instance_id}")).text
        verbs = {"pause", "resume", "terminate", "raise", "purge"}
        return {verb for verb in verbs if f'/board/workflows/{instance_id}/{verb}"' in page}

    assert await offered(olga, "runs") == {"pause", "raise", "terminate"}
    assert await offered(olga, "rests") == {"resume", "raise", "terminate"}
    assert await offered(olga, "ended") == {"purge"}
    assert await offered(olga, "order") == {"pause", "terminate"}
    assert await offered(olga, "undo") == {"pause"}
    assert await offered(vera, "runs") == set()


# Operations


async def test_an_instance_is_paused_and_resumed(
    engine: ManagedMemoryEngine, olga: Visitor, visited: Visited
) -> None:
    """No confirmation is needed, and both actions are in the audit trail."""
    engine.put("one")

    paused = await olga.post("/board/workflows/one/pause")
    assert paused.headers["Location"] == "/board/workflows/one?done=paused"
    assert engine.status_of("one") is RuntimeStatus.SUSPENDED
    assert "being paused" in (await olga.get(paused.headers["Location"])).text
    await olga.post("/board/workflows/one/resume")
    assert engine.status_of("one") is RuntimeStatus.RUNNING
    entries = await visited.audit.page(10, None)
    assert [entry.action for entry in entries] == ["workflow.resume", "workflow.pause"]


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate"])
async def test_an_impossible_action_is_reported_on_the_instances_page(
    engine: ManagedMemoryEngine, olga: Visitor, visited: Visited, verb: str
) -> None:
    """If the instance has finished meanwhile, the answer is 409 with its current state."""
    engine.put("one", RuntimeStatus.COMPLETED)

    answer = await olga.post(f"/board/workflows/one/{verb}")

    assert answer.status_code == 409
    assert "One has finished: it is COMPLETED" in answer.text
    assert ">History <" in answer.text
    (entry,) = await visited.audit.page(10, None)
    assert entry.outcome == "WORKFLOW_NOT_RUNNING"


async def test_terminating_an_instance_needs_a_confirmation(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """The confirmation page itself changes nothing."""
    engine.put("one")

    page = await olga.get("/board/workflows/one/terminate")
    assert "cannot be resumed" in page.text
    assert engine.status_of("one") is RuntimeStatus.RUNNING

    await olga.post("/board/workflows/one/terminate")
    assert engine.status_of("one") is RuntimeStatus.TERMINATED


async def test_terminating_an_orders_workflow_shows_the_consequences(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """The page says that the order is rolled back, and that it could be cancelled instead."""
    engine.put("o1", name="order_processing_workflow")

    page = (await olga.get("/board/workflows/o1/terminate")).text

    assert "the order is rolled back" in page
    assert "/board/orders/o1" in page
    await olga.post("/board/workflows/o1/terminate")
    assert engine.status_of("o1") is RuntimeStatus.TERMINATED


async def test_purging_a_finished_instance_needs_a_confirmation(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """It is no longer listed then; a running one cannot be purged."""
    engine.put("one", RuntimeStatus.COMPLETED)
    engine.put("two")

    assert "removed from the engine for good" in (await olga.get("/board/workflows/one/purge")).text
    gone = await olga.post("/board/workflows/one/purge")
    assert gone.headers["Location"] == "/board/workflows?done=purged"
    assert engine.purged == ["one"]
    running = await olga.post("/board/workflows/two/purge")
    assert running.status_code == 409
    assert engine.purged == ["one"]


# Events


async def test_raising_an_event_needs_a_confirmation(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """The confirmation shows the payload, which is passed on as it was typed."""
    engine.put("one")
    typed = {"event": " approvalEvent ", "payload": '{"approved": false}'}

    assert '<option value="approvalEvent">' in (await olga.get("/board/workflows/one/raise")).text
    looked = await olga.post("/board/workflows/one/raise/confirm", **typed)
    assert looked.status_code == 200
    assert engine.raised == []
    done = await olga.post("/board/workflows/one/raise", **typed)

    assert done.headers["Location"] == "/board/workflows/one?done=raised"
    assert engine.raised == [("one", "approvalEvent", {"approved": False})]


async def test_an_event_may_have_no_payload(engine: ManagedMemoryEngine, olga: Visitor) -> None:
    """Its name may be enough."""
    engine.put("one")

    await olga.post("/board/workflows/one/raise", event="check_now", payload=" ")

    assert engine.raised == [("one", "check_now", None)]


@pytest.mark.parametrize(
    ("event", "payload", "message"),
    [
        ("", "1", "Enter an event name"),
        ("a/b", "1", "Enter an event name"),
        pytest.param("x" * 201, "1", "Enter an event name", id="long"),
        ("ok", "{nonsense", "The payload is not valid JSON"),
        ("ok", "NaN", "The payload is not valid JSON"),
        pytest.param("ok", "[" * 5000, "The payload is not valid JSON", id="deep"),
        ("ok", '"\\ud800"', "The payload is not valid JSON"),
    ],
)
@pytest.mark.parametrize("step", ["raise", "raise/confirm"])
async def test_an_invalid_event_is_shown_again(
    engine: ManagedMemoryEngine, olga: Visitor, event: str, payload: str, message: str, step: str
) -> None:
    """The answer is 422 with the input and the error, and nothing is raised."""
    engine.put("one")

    answer = await olga.post(f"/board/workflows/one/{step}", event=event, payload=payload)

    assert answer.status_code == 422
    assert message in answer.text
    assert engine.raised == []


async def test_typed_events_are_escaped(engine: ManagedMemoryEngine, olga: Visitor) -> None:
    """This holds in the field and on the confirmation page."""
    engine.put("one")
    wrong = await olga.post("/board/workflows/one/raise/confirm", event=MARKUP, payload=MARKUP)
    fine = await olga.post(
        "/board/workflows/one/raise/confirm", event=MARKUP, payload=f'"{MARKUP}"'
    )

    assert MARKUP not in wrong.text + fine.text
    assert fine.status_code == 200


async def test_no_event_can_be_raised_to_an_order(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """The refusal says where orders are decided."""
    engine.put("o1", name="order_processing_workflow")

    answer = await olga.post("/board/workflows/o1/raise", event="approval_decided", payload="1")

    assert answer.status_code == 409
    assert "decided through approvals" in answer.text


# Permissions


@pytest.mark.parametrize("who", ["vera", "adam"])
async def test_only_operators_can_control_instances(
    engine: ManagedMemoryEngine, visited: Visited, who: str
) -> None:
    """Others see neither buttons nor confirmation pages."""
    engine.put("one")
    visitor = await visited.visitor(who)

    assert (await visitor.get("/board/workflows/one")).status_code == 200
    for verb in ("pause", "resume", "terminate", "purge", "raise", "raise/confirm"):
        assert (await visitor.post(f"/board/workflows/one/{verb}", event="x")).status_code == 403
    for verb in ("terminate", "purge", "raise"):
        assert (await visitor.get(f"/board/workflows/one/{verb}")).status_code == 403
    assert engine.status_of("one") is RuntimeStatus.RUNNING


async def test_a_form_of_another_session_does_nothing(
    engine: ManagedMemoryEngine, olga: Visitor
) -> None:
    """Every form has the token of its session."""
    engine.put("one")

    for verb in ("pause", "terminate", "purge", "raise", "raise/confirm"):
        answer = await olga.post(f"/board/workflows/one/{verb}", csrf="another", event="x")
        assert answer.status_code == 403
    assert (await olga.get("/board/workflows/one/pause")).status_code == 405
    assert engine.status_of("one") is RuntimeStatus.RUNNING


@pytest.mark.parametrize("step", ["raise", "raise/confirm"])
async def test_an_event_form_survives_an_ended_session(
    engine: ManagedMemoryEngine, olga: Visitor, step: str
) -> None:
    """Name and payload stay, even if the payload is not JSON."""
    engine.put("one")

    page = await Visitor(olga.client, "of-before").post(
        f"/board/workflows/one/{step}", event="approvalEvent", payload='{"unfinished": '
    )

    assert page.status_code == 403
    assert 'value="approvalEvent"' in page.text
    assert "{&#34;unfinished&#34;: </textarea>" in page.text
    assert engine.raised == []
