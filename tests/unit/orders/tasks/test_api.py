"""Tasks over HTTP and by topic."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given

from fakes.access import opened
from fakes.events import TopicsInMemory
from fakes.odd_json import FEW, odd
from fakes.orders_ports import MemoryEngine
from orderflow_contracts.tasks import TaskStatus
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import Known
from orderflow_hosting.topics import MOST_OWN_FAILURES
from orders.http import http_app
from orders.tables import DEAD_LETTERS, PARKED_EVENTS
from orders.tasks.api import subscribe_tasks, task_router
from orders.tasks.messages import TaskOrder
from orders.tasks.service import Tasks
from orders.tasks.store import TaskStore

TOPIC = "tasks.completed"
DONE_AT = "2026-03-01T12:30:00Z"


@pytest.fixture
def store(database: Database) -> TaskStore:
    return TaskStore(database)


@pytest.fixture
def tasks(store: TaskStore, engine: MemoryEngine) -> Tasks:
    return Tasks(store, engine)


@pytest.fixture
async def http(tasks: Tasks) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(
        opened(http_app(task_router(tasks))), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


@pytest.fixture
def topics(database: Database, tasks: Tasks) -> TopicsInMemory:
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe_tasks(topics.topics, tasks)
    return topics


@pytest.fixture
async def waiting(store: TaskStore, engine: MemoryEngine) -> None:
    """Make a task that waits for its completion."""
    await store.receive("t1", "i1", "Sweep")
    await store.assign("t1", "ann", [])
    await engine.start("task_processing_workflow", "i1", TaskOrder(task_id="t1", title="Sweep"))


def problem_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


@pytest.mark.usefixtures("waiting")
async def test_a_task_has_the_documented_fields(http: httpx.AsyncClient) -> None:
    """The document has the fields of the contract."""
    task = (await http.get("/tasks/t1")).json()

    assert list(task) == [
        "task_id",
        "instance_id",
        "title",
        "assignee",
        "order_id",
        "status",
        "created_at",
        "updated_at",
        "completed_at",
    ]
    assert (task["status"], task["assignee"]) == ("assigned", "ann")


async def test_tasks_are_listed_page_by_page(http: httpx.AsyncClient, store: TaskStore) -> None:
    """Newest first, for all statuses or one."""
    for number in range(5):
        await store.receive(f"t{number}", "i", "Sweep")
    await store.end("t3", TaskStatus.FAILED)

    first = (await http.get("/tasks", params={"limit": 2})).json()
    second = (await http.get("/tasks", params={"limit": 3, "after": first["next"]})).json()
    failed = (await http.get("/tasks", params={"status": "failed"})).json()

    assert [task["task_id"] for task in first["items"]] == ["t4", "t3"]
    assert [task["task_id"] for task in second["items"]] == ["t2", "t1", "t0"]
    assert second["next"] is None
    assert [task["task_id"] for task in failed["items"]] == ["t3"]


@pytest.mark.parametrize("query", ["status=done", "limit=0", "limit=501", "after=x", "after=eA"])
async def test_invalid_list_parameters_are_refused(http: httpx.AsyncClient, query: str) -> None:
    """The answer is that of every other list."""
    assert problem_of(await http.get(f"/tasks?{query}")) == (422, "INVALID_INPUT")


@pytest.mark.usefixtures("waiting")
async def test_the_task_of_an_event_is_found(topics: TopicsInMemory) -> None:
    """By its id."""
    found = await topics.find("tasks.completed", {"task_id": "t1"})

    assert found == Known("task", "t1", "assigned")
    for odd_data in ({"task_id": "t2"}, {"task_id": "t 1"}, ["t1"], None):
        assert await topics.find("tasks.completed", odd_data) is None


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("body", [None, {}, {"completed_at": None}, {"completed_at": DONE_AT}])
async def test_a_task_is_completed(
    http: httpx.AsyncClient, engine: MemoryEngine, body: Any
) -> None:
    """Its workflow gets the given time, or the current one."""
    response = await http.post("/tasks/t1/complete", json=body)

    assert (response.status_code, response.json()["task_id"]) == (202, "t1")
    ((instance_id, event, payload),) = engine.raised
    assert (instance_id, event) == ("i1", "task_completed")
    assert payload is not None
    at = payload.model_dump(mode="json")["completed_at"]
    assert at == DONE_AT if body and body.get("completed_at") else at > DONE_AT


@pytest.mark.usefixtures("waiting")
async def test_completing_a_task_twice_changes_nothing(
    http: httpx.AsyncClient, store: TaskStore, engine: MemoryEngine
) -> None:
    """The second answer is the same."""
    task = await store.end("t1", TaskStatus.COMPLETED)

    response = await http.post("/tasks/t1/complete", json={"completed_at": DONE_AT})

    assert response.status_code == 202
    assert response.json() == task.model_dump(mode="json")
    assert engine.raised == []


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("status", ["timed_out", "rejected", "withdrawn", "failed"])
async def test_a_task_that_ended_otherwise_cannot_be_completed(
    http: httpx.AsyncClient, store: TaskStore, status: str
) -> None:
    """It is too late."""
    await store.end("t1", TaskStatus(status))

    assert problem_of(await http.post("/tasks/t1/complete")) == (409, "TASK_ENDED")


@pytest.mark.usefixtures("waiting")
async def test_a_task_whose_workflow_was_terminated_has_failed(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """Nothing waits for it any more, and this is recorded."""
    engine.active.clear()

    assert problem_of(await http.post("/tasks/t1/complete")) == (409, "TASK_ENDED")
    assert (await http.get("/tasks/t1")).json()["status"] == "failed"


async def test_the_work_for_an_order_counts_although_the_engine_lost_its_task(
    http: httpx.AsyncClient, store: TaskStore
) -> None:
    """The order is begun again later, and must find the task completed."""
    await store.receive("pick-o", "pick.o", "Pick order o", order_id="o")

    answer = await http.post("/tasks/pick-o/complete", json={"completed_at": DONE_AT})

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["completed_at"]) == ("completed", DONE_AT)
    assert (await http.post("/tasks/pick-o/complete")).json() == answer.json()


@pytest.mark.parametrize("task_id", ["nobody", "no%20id", "x" * 81])
async def test_an_unknown_task_is_not_found(http: httpx.AsyncClient, task_id: str) -> None:
    """An invalid id is not found either."""
    missing = (404, "TASK_NOT_FOUND")
    assert problem_of(await http.get(f"/tasks/{task_id}")) == missing
    assert problem_of(await http.post(f"/tasks/{task_id}/complete")) == missing


@pytest.mark.usefixtures("waiting")
async def test_an_unavailable_engine_is_reported(
    http: httpx.AsyncClient, engine: MemoryEngine
) -> None:
    """The caller may retry."""
    engine.is_down = True

    assert problem_of(await http.post("/tasks/t1/complete")) == (503, "SIDECAR_UNAVAILABLE")


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("body", [[], {"completed_at": "yesterday"}, {"completed_at": 1e400}])
async def test_an_invalid_completion_time_is_refused(http: httpx.AsyncClient, body: Any) -> None:
    """The error names the field."""
    content = str(body).replace("'", '"').replace("inf", "1e400")
    response = await http.post(
        "/tasks/t1/complete", content=content, headers={"content-type": "application/json"}
    )

    assert problem_of(response) == (422, "INVALID_INPUT")


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("data", [{"task_id": "t1"}, {"task_id": "t1", "completed_at": DONE_AT}])
async def test_a_published_completion_completes_the_task(
    topics: TopicsInMemory, engine: MemoryEngine, data: Any
) -> None:
    """It works like one over HTTP."""
    assert await topics.deliver(TOPIC, data) is Answer.ACKNOWLEDGE

    assert len(engine.raised) == 1
    assert (await topics.errors(), await topics.dead()) == ([], [])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("garbage", "invalid"),
        (None, "invalid"),
        ({}, "task_id"),
        ({"task_id": "a b"}, "task_id"),
        ({"task_id": "t1", "completed_at": "yesterday"}, "completed_at"),
        ({"task_id": "late"}, "timed_out"),
    ],
)
async def test_an_invalid_published_completion_becomes_a_dead_letter(
    topics: TopicsInMemory, store: TaskStore, data: Any, reason: str
) -> None:
    """So do completions of tasks that ended otherwise."""
    await store.receive("late", "i2", "Sweep")
    await store.end("late", TaskStatus.TIMED_OUT)

    assert await topics.deliver(TOPIC, data) is Answer.DEAD_LETTER

    (dead_letter,) = await topics.dead()
    assert dead_letter.topic == TOPIC
    assert reason in dead_letter.reason


async def test_a_completion_waits_for_its_task(
    topics: TopicsInMemory, store: TaskStore, engine: MemoryEngine
) -> None:
    """The task is completed once it exists."""
    assert await topics.deliver(TOPIC, {"task_id": "t1"}) is Answer.ACKNOWLEDGE
    await topics.pass_time()
    assert await topics.errors() == ["NotYetKnown: there is no task t1"]

    await store.receive("t1", "i1", "Sweep")
    await engine.start("task_processing_workflow", "i1", TaskOrder(task_id="t1", title="Sweep"))
    await topics.pass_time()

    assert [(instance_id, event) for instance_id, event, _ in engine.raised] == [
        ("i1", "task_completed")
    ]
    assert (await topics.errors(), await topics.dead()) == ([], [])


async def test_a_completion_of_an_unknown_task_becomes_a_dead_letter(
    topics: TopicsInMemory,
) -> None:
    """It waits within the limit, and then says which task there is not."""
    await topics.deliver(TOPIC, {"task_id": "nobody"})
    for _ in range(MOST_OWN_FAILURES):
        assert await topics.dead() == []
        await topics.pass_time()

    (letter,) = await topics.dead()
    assert letter.topic == TOPIC
    assert letter.reason == "tried 11 times, but there is no task nobody"
    assert await topics.errors() == []


@pytest.mark.usefixtures("waiting")
async def test_a_published_completion_is_retried_while_the_engine_is_down(
    topics: TopicsInMemory, engine: MemoryEngine
) -> None:
    """A temporary failure makes no dead letter, and the task is completed afterwards."""
    engine.is_down = True
    assert await topics.deliver(TOPIC, {"task_id": "t1"}) is Answer.ACKNOWLEDGE
    (error,) = await topics.errors()
    assert error.startswith("EngineUnavailable")

    engine.is_down = False
    await topics.pass_time()

    assert len(engine.raised) == 1
    assert (await topics.errors(), await topics.dead()) == ([], [])


@FEW
@given(odd({"task_id": "t1", "completed_at": DONE_AT}))
@pytest.mark.usefixtures("waiting")
async def test_no_completion_data_raises_an_unexpected_error(
    topics: TopicsInMemory, data: object
) -> None:
    """Every event is accepted, refused at once, or waits for its task."""
    await topics.deliver(TOPIC, data)

    waiting = "NotYetKnown: there is no task "
    assert all(error.startswith(waiting) for error in await topics.errors())
