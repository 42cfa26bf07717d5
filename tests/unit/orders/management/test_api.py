"""Workflow management over HTTP: paths, documents, and a code for each error."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from fakes.access import opened
from fakes.managed_engine import KEPT, ManagedMemoryEngine
from orderflow_contracts.fields import now
from orderflow_workflow_runtime.instances import Failure, HistoryEvent, RuntimeStatus
from orders.http import http_app
from orders.management.api import workflow_router
from orders.management.index import InstanceIndex
from orders.management.problems import MAX_BODY_BYTES
from orders.management.service import Management
from orders.management.sweeping import Sweep
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo

COUNTER = "never_ending_workflow"


@pytest.fixture
def engine() -> ManagedMemoryEngine:
    return ManagedMemoryEngine()


@pytest.fixture
def sweep(engine: ManagedMemoryEngine, index: InstanceIndex) -> Sweep:
    return Sweep(engine, index)


@pytest.fixture
async def http(
    engine: ManagedMemoryEngine, store: OrderStore, index: InstanceIndex
) -> AsyncIterator[httpx.AsyncClient]:
    undo = OrderUndo(engine, store)
    management = Management(engine, store, undo, index=index, counter_pause_seconds=0.5)
    transport = httpx.ASGITransport(
        opened(http_app(workflow_router(management))), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


def problem_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    assert document["detail"]
    return response.status_code, document["code"]


def invalid_field(response: httpx.Response) -> str:
    assert problem_of(response) == (422, "INVALID_INPUT")
    return str(response.json()["errors"][0]["field"])


async def test_a_greeting_is_started_by_a_suffix(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The id is iwf-<suffix>, and the name is the input."""
    response = await http.post("/workflows/start/demo", params={"user_name": "Ann"})

    assert response.status_code == 202
    assert list(response.json()) == ["instance_id", "message"]
    assert response.json()["instance_id"] == "iwf-demo"
    instance = engine.instances["iwf-demo"]
    assert (instance.name, instance.input) == ("interactive_hello_workflow", "Ann")


async def test_a_greeting_without_a_name_greets_a_user(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The name is optional."""
    await http.post("/workflows/start/demo")

    assert engine.instances["iwf-demo"].input == "User"


async def test_any_workflow_is_started_by_its_name(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The body is its input; body and id are optional."""
    response = await http.post(f"/workflows/{COUNTER}/start?instance_id=count", json=5)
    assert (response.status_code, response.json()["instance_id"]) == (202, "count")
    assert engine.instances["count"].input["value"] == 5

    made = (await http.post(f"/workflows/{COUNTER}/start")).json()["instance_id"]
    assert engine.instances[made].input["value"] == 0


async def test_a_status_has_the_documented_fields(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The fields are in the documented order, with times in UTC."""
    engine.put("x", payload={"a": 1})

    status = (await http.get("/workflows/x/status")).json()

    assert list(status) == [
        "instance_id",
        "name",
        "runtime_status",
        "created_at",
        "last_updated_at",
        "input",
        "output",
        "custom_status",
        "failure",
    ]
    assert status["runtime_status"] == "RUNNING"
    assert status["created_at"].endswith("Z")
    assert (status["input"], status["failure"]) == ({"a": 1}, None)


async def test_a_failure_has_code_message_and_activity(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The code is stable, and the message is the engine's."""
    engine.put("x", RuntimeStatus.FAILED, failure=Failure.of("TaskFailedError", "it broke"))
    engine.histories["x"] = [
        HistoryEvent(event_id=1, at=now(), type="task_failed", name="an_activity")
    ]

    status = (await http.get("/workflows/x/status")).json()

    assert status["failure"] == {
        "code": "ACTIVITY_EXECUTION_FAILED",
        "type": "TaskFailedError",
        "message": "it broke",
        "activity": "an_activity",
    }


async def test_operations_answer_with_a_message(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """Pause, resume, raise, terminate and purge each return 202."""
    engine.put("x")
    for verb in ("pause", "resume", "raise_event/approvalEvent", "terminate", "purge"):
        response = await http.post(f"/workflows/x/{verb}")
        assert response.status_code == 202, verb
        assert list(response.json()) == ["message"]
        assert "x" in response.json()["message"]
    assert engine.instances == {}


@pytest.mark.parametrize("payload", [None, False, 0, "", [], {"approved": True}, "ü😀"])
async def test_an_events_payload_is_any_json(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, payload: Any
) -> None:
    """A payload such as false is passed on, too."""
    engine.put("x")

    response = await http.post("/workflows/x/raise_event/approvalEvent", json=payload)

    assert response.status_code == 202
    assert engine.raised == [("x", "approvalEvent", payload)]


async def test_a_body_is_json_whatever_its_content_type(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """`curl -d`, for example, sends another content type."""
    engine.put("x")
    headers = {"content-type": "application/x-www-form-urlencoded"}

    response = await http.post("/workflows/x/raise_event/e", content=b'{"a": 1}', headers=headers)

    assert response.status_code == 202
    assert engine.raised == [("x", "e", {"a": 1})]


BAD_BODIES = {
    "not JSON": (b"hello", "application/json"),
    "not JSON, called text": (b"hello", "text/plain"),
    "not UTF-8": (b'"\xff"', "application/json"),
    "not UTF-8, called text": (b'"\xff"', "text/plain"),
    "half a character": (b'"\\ud800"', "application/json"),
    "half a character, called text": (b'"\\ud800"', "text/plain"),
    "no number": (b"NaN", "application/json"),
    "no end": (b"Infinity", "text/plain"),
    "too large": (b'"' + b"x" * MAX_BODY_BYTES + b'"', "application/json"),
    "too deep": (b"[" * 30_000 + b"]" * 30_000, "application/json"),
    "too deep, called text": (b"[" * 30_000 + b"]" * 30_000, "text/plain"),
}


@pytest.mark.parametrize("path", ["raise_event/e", "terminate", "rerun?from_event=0"])
@pytest.mark.parametrize("body", BAD_BODIES)
async def test_an_unusable_body_is_refused(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, path: str, body: str
) -> None:
    """The engine never sees it."""
    engine.put("x", RuntimeStatus.COMPLETED if "rerun" in path else RuntimeStatus.RUNNING)
    content, content_type = BAD_BODIES[body]

    response = await http.post(
        f"/workflows/x/{path}", content=content, headers={"content-type": content_type}
    )

    assert invalid_field(response) == "body"
    assert engine.raised == []


async def test_a_body_without_a_length_is_measured(http: httpx.AsyncClient) -> None:
    """Chunked bodies are limited, too."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b'"'
        for _ in range(100):
            yield b"x" * 1000
        yield b'"'

    response = await http.post("/workflows/interactive_hello_workflow/start", content=chunks())

    assert invalid_field(response) == "body"


@pytest.mark.parametrize("start", ["five", True, 1.5, [1], {"value": 1}])
async def test_an_invalid_workflow_input_is_refused(http: httpx.AsyncClient, start: Any) -> None:
    """The caller gets the error before anything is started."""
    response = await http.post(f"/workflows/{COUNTER}/start", json=start)

    assert invalid_field(response) == "body"


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/workflows/start/a.b", "suffix"),
        ("POST", f"/workflows/start/{'x' * 97}", "suffix"),
        ("POST", f"/workflows/{COUNTER}/start?instance_id=a.b", "instance_id"),
        ("POST", f"/workflows/{COUNTER}/start?instance_id=", "instance_id"),
        ("POST", f"/workflows/{COUNTER}/start?instance_id={'x' * 101}", "instance_id"),
        ("POST", f"/workflows/{COUNTER}/start?replace=perhaps", "replace"),
        ("POST", "/workflows/x/terminate?force=perhaps", "force"),
        ("POST", "/workflows/purge", "older_than"),
        ("POST", "/workflows/purge?older_than=soon", "older_than"),
        ("POST", "/workflows/purge?older_than=-1h", "older_than"),
        ("POST", "/workflows/x/rerun", "from_event"),
        ("POST", "/workflows/x/rerun?from_event=-1", "from_event"),
        ("POST", "/workflows/x/rerun?from_event=one", "from_event"),
        ("POST", "/workflows/x/rerun?from_event=7", "from_event"),
        ("POST", "/workflows/x/rerun?from_event=0&new_instance_id=a.b", "new_instance_id"),
        ("GET", "/workflows?status=DONE", "status"),
        ("GET", "/workflows?status=running", "status"),
        ("GET", "/workflows?limit=0", "limit"),
        ("GET", "/workflows?limit=501", "limit"),
        ("GET", "/workflows?after=%20", "after"),
        ("GET", "/workflows/x/wait?timeout_seconds=0", "timeout_seconds"),
        ("GET", "/workflows/x/wait?timeout_seconds=301", "timeout_seconds"),
        ("GET", "/workflows/x/wait?timeout_seconds=nan", "timeout_seconds"),
    ],
)
async def test_invalid_parameters_are_named(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, method: str, path: str, field: str
) -> None:
    """The answer is 422 with the invalid field."""
    engine.put("x", RuntimeStatus.COMPLETED)

    assert invalid_field(await http.request(method, path)) == field


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workflows/x/status"),
        ("GET", "/workflows/x/history"),
        ("GET", "/workflows/x/wait"),
        ("POST", "/workflows/x/pause"),
        ("POST", "/workflows/x/resume"),
        ("POST", "/workflows/x/terminate"),
        ("POST", "/workflows/x/raise_event/e"),
        ("POST", "/workflows/x/purge"),
        ("POST", "/workflows/x/rerun?from_event=0"),
    ],
)
async def test_every_operation_on_an_unknown_instance_gets_404(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    """The answer has its own code."""
    assert problem_of(await http.request(method, path)) == (404, "WORKFLOW_NOT_FOUND")


@pytest.mark.parametrize(
    ("status", "name", "path", "code"),
    [
        ("COMPLETED", COUNTER, "x/pause", "WORKFLOW_NOT_RUNNING"),
        ("FAILED", COUNTER, "x/resume", "WORKFLOW_NOT_RUNNING"),
        ("TERMINATED", COUNTER, "x/terminate", "WORKFLOW_NOT_RUNNING"),
        ("COMPLETED", COUNTER, "x/raise_event/e", "WORKFLOW_NOT_RUNNING"),
        ("RUNNING", COUNTER, "x/purge", "WORKFLOW_STILL_RUNNING"),
        ("SUSPENDED", COUNTER, "x/purge", "WORKFLOW_STILL_RUNNING"),
        ("RUNNING", COUNTER, "x/rerun?from_event=0", "WORKFLOW_STILL_RUNNING"),
        ("RUNNING", COUNTER, f"{COUNTER}/start?instance_id=x", "WORKFLOW_ALREADY_EXISTS"),
        ("COMPLETED", COUNTER, f"{COUNTER}/start?instance_id=x", "WORKFLOW_ALREADY_EXISTS"),
        ("RUNNING", COUNTER, f"{COUNTER}/start?instance_id=x&replace=1", "WORKFLOW_ALREADY_EXISTS"),
        ("RUNNING", COUNTER, "order_processing_workflow/start", "WORKFLOW_PROTECTED"),
        ("RUNNING", "order_processing_workflow", "x/terminate", "WORKFLOW_PROTECTED"),
        ("RUNNING", "order_processing_workflow", "x/raise_event/e", "WORKFLOW_PROTECTED"),
        ("COMPLETED", "order_processing_workflow", "x/rerun?from_event=0", "WORKFLOW_PROTECTED"),
        ("RUNNING", "order_undo_workflow", "x/terminate?force=true", "WORKFLOW_PROTECTED"),
    ],
)
async def test_an_operation_that_the_state_does_not_allow_gets_409(
    http: httpx.AsyncClient,
    engine: ManagedMemoryEngine,
    status: str,
    name: str,
    path: str,
    code: str,
) -> None:
    """The code gives the reason."""
    engine.put("x", RuntimeStatus(status), name=name)

    assert problem_of(await http.post(f"/workflows/{path}")) == (409, code)


async def test_starting_an_unknown_workflow_gets_404(http: httpx.AsyncClient) -> None:
    """Nothing is started."""
    response = await http.post("/workflows/nothing/start")

    assert problem_of(response) == (404, "WORKFLOW_NOT_FOUND")


async def test_a_finished_instance_is_replaced_on_demand(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """With replace=true its id is used again."""
    engine.put("x", RuntimeStatus.COMPLETED)

    response = await http.post(f"/workflows/{COUNTER}/start?instance_id=x&replace=true")

    assert response.status_code == 202
    assert engine.status_of("x") is RuntimeStatus.RUNNING


async def test_a_wait_that_times_out_gets_504(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The instance goes on."""
    engine.put("x")

    response = await http.get("/workflows/x/wait?timeout_seconds=0.01")

    assert problem_of(response) == (504, "WORKFLOW_TIMEOUT")
    assert engine.status_of("x") is RuntimeStatus.RUNNING


async def test_a_wait_answers_with_the_finished_instance(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """The body is the instance's status."""
    engine.put("x", RuntimeStatus.TERMINATED)

    response = await http.get("/workflows/x/wait")

    assert (response.status_code, response.json()["runtime_status"]) == (200, "TERMINATED")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workflows"),
        ("GET", "/workflows/x/status"),
        ("POST", "/workflows/start/demo"),
        ("POST", "/workflows/x/pause"),
        ("POST", "/workflows/purge?older_than=1h"),
    ],
)
async def test_an_unavailable_sidecar_gets_503(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, sweep: Sweep, method: str, path: str
) -> None:
    """The caller may try again later."""
    engine.put("x", RuntimeStatus.COMPLETED, age=timedelta(hours=2))
    await sweep.round()
    engine.is_down = True

    assert problem_of(await http.request(method, path)) == (503, "SIDECAR_UNAVAILABLE")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workflows/x/status"),
        ("GET", "/workflows/x/wait"),
        ("POST", "/workflows/x/pause"),
        ("POST", "/workflows/x/terminate"),
        ("POST", "/workflows/x/purge"),
    ],
)
async def test_a_damaged_instance_has_a_code_of_its_own(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, method: str, path: str
) -> None:
    """The sidecar is well, so that trying again later does not help."""
    engine.put("x")
    engine.damaged = {"x"}

    assert problem_of(await http.request(method, path)) == (409, "WORKFLOW_DAMAGED")


async def test_a_damaged_instance_is_listed(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """With the usual fields, and a failure that says so."""
    for name in ("a", "b"):
        engine.put(name)
    await sweep.round()
    engine.damaged = {"a"}

    damaged, well = (await http.get("/workflows")).json()["items"]

    assert list(damaged) == list(well)
    assert (damaged["instance_id"], damaged["runtime_status"]) == ("a", "RUNNING")
    assert damaged["failure"]["code"] == "WORKFLOW_DAMAGED"
    assert (well["instance_id"], well["failure"]) == ("b", None)


async def test_instances_are_filtered_by_time(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """A list with times continues by its own cursors."""
    for number in range(5):
        engine.put(f"i{number}", age=timedelta(hours=number))
    await sweep.round()
    times = {
        "created_from": str(now() - timedelta(hours=3.5)),
        "created_before": str(now() - timedelta(hours=0.5)),
    }

    first = (await http.get("/workflows", params={**times, "limit": 2})).json()
    rest = (await http.get("/workflows", params={**times, "after": first["next"]})).json()

    assert [item["instance_id"] for item in first["items"]] == ["i3", "i2"]
    assert [item["instance_id"] for item in rest["items"]] == ["i1"]
    by_id = (await http.get("/workflows?limit=2")).json()
    mixed = await http.get("/workflows", params={**times, "after": by_id["next"]})
    assert invalid_field(mixed) == "after"


@pytest.mark.parametrize("field", ["created_from", "created_before"])
@pytest.mark.parametrize("value", ["soon", "1700000000", "2026-03-01T00:00:00"])
async def test_times_must_be_unambiguous(http: httpx.AsyncClient, field: str, value: str) -> None:
    """They are RFC 3339, with a time zone."""
    assert invalid_field(await http.get("/workflows", params={field: value})) == field


async def test_old_instances_are_purged(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """The answer gives their number."""
    engine.put("old", RuntimeStatus.COMPLETED, age=timedelta(hours=2))
    engine.put("young", RuntimeStatus.COMPLETED)
    await sweep.round()

    response = await http.post("/workflows/purge?older_than=1h")

    assert response.status_code == 202
    assert response.json() == {"message": "1 workflow instances purged", "purged": 1}


async def test_instances_are_listed_page_by_page(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, sweep: Sweep
) -> None:
    """A page's cursor leads to the next with the same filters; the last page has none."""
    for number in range(5):
        engine.put(f"i{number}", RuntimeStatus.FAILED if number else RuntimeStatus.RUNNING)
    await sweep.round()

    first = (await http.get("/workflows?status=FAILED&limit=3")).json()
    rest = (await http.get(f"/workflows?status=FAILED&limit=3&after={first['next']}")).json()

    assert [item["instance_id"] for item in first["items"]] == ["i1", "i2", "i3"]
    assert [item["instance_id"] for item in rest["items"]] == ["i4"]
    assert rest["next"] is None


async def test_a_history_is_listed_oldest_first(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine
) -> None:
    """All events are in `items`."""
    engine.put("x", RuntimeStatus.COMPLETED)
    engine.histories["x"] = [
        HistoryEvent(event_id=0, at=now(), type="task_scheduled", name="a", is_rerunnable=True),
        HistoryEvent(event_id=None, at=now(), type="task_completed", duration_seconds=0.5),
    ]

    history = (await http.get("/workflows/x/history")).json()

    assert history["next"] is None
    assert [event["type"] for event in history["items"]] == ["task_scheduled", "task_completed"]
    assert list(history["items"][0]) == [
        "event_id",
        "at",
        "type",
        "name",
        "duration_seconds",
        "input",
        "output",
        "error",
        "is_rerunnable",
        "description",
    ]


@pytest.mark.parametrize(
    ("body", "payload"), [(b"", KEPT), (b"null", None), (b'"Bob"', "Bob"), (b"0", 0)]
)
async def test_a_rerun_keeps_the_recorded_input_unless_one_is_sent(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, body: bytes, payload: Any
) -> None:
    """Null is an input, no body is none."""
    engine.put("x", RuntimeStatus.COMPLETED)
    engine.histories["x"] = [
        HistoryEvent(event_id=0, at=now(), type="task_scheduled", is_rerunnable=True)
    ]

    response = await http.post(
        "/workflows/x/rerun?from_event=0&new_instance_id=again",
        content=body,
        headers={"content-type": "application/json"},
    )

    assert (response.status_code, response.json()["instance_id"]) == (202, "again")
    assert engine.reruns == [("x", 0, "again", payload)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "Sweep"}, "task_id"),
        ({"task_id": "a b", "title": "Sweep"}, "task_id"),
        ({"task_id": "t1"}, "title"),
        ({"task_id": "t1", "title": 7}, "title"),
        ({"task_id": "t1", "title": "x" * 201}, "title"),
        ({"task_id": "t1", "title": "Sweep", "assignee": None}, "assignee"),
        ({"task_id": "t1", "title": "Sweep", "order_id": "a b"}, "order_id"),
        ({"task_id": "t1", "title": "Sweep", "timeout_seconds": 0}, "timeout_seconds"),
        ({"task_id": "t1", "title": "Sweep", "timeout_seconds": 10**9}, "timeout_seconds"),
        ([], "body"),
        ("Sweep", "body"),
    ],
)
async def test_an_invalid_task_names_its_field(
    http: httpx.AsyncClient, engine: ManagedMemoryEngine, body: Any, field: str
) -> None:
    """The caller learns what to correct, and nothing is started."""
    response = await http.post("/workflows/task_processing_workflow/start", json=body)

    assert invalid_field(response) == field
    assert engine.instances == {}
