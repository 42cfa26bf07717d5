"""Every operation and every error of workflow management, on the real Dapr runtime."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from orderflow_tools.platform import Platform
from system.shop import Shop, wait_for
from system.workflows import COUNTER, HELLO, STEP_PARTS, Workflows, expect, new_suffix
from system.workflows import restart_orders as restart

# The slow workflow


def test_the_slow_greeting_waits_for_its_event(workflows: Workflows) -> None:
    """It greets, waits for an event, and returns greeting, payload and status."""
    suffix = new_suffix()
    started = expect(workflows.post(f"/start/{suffix}", user_name="Ann"), 202)
    assert started["instance_id"] == f"iwf-{suffix}"
    assert started["message"]
    instance_id = started["instance_id"]

    running = workflows.wait_for_status(instance_id, "RUNNING")
    assert (running["name"], running["input"], running["output"]) == (HELLO, "Ann", None)
    workflows.wait_until_waiting(instance_id)
    payload = {"approved": True, "by": "Bob"}
    assert expect(workflows.raise_approval(instance_id, payload), 202)["message"]

    done = workflows.finished(instance_id)
    assert done["runtime_status"] == "COMPLETED"
    assert done["output"] == {
        "initial_greeting": "Hello, Ann!",
        "event_data": payload,
        "status": "Approved",
    }
    assert done["failure"] is None
    assert done["created_at"] <= done["last_updated_at"]


def test_a_history_lists_events_with_durations_and_payloads(workflows: Workflows) -> None:
    """Events are in order, with durations, inputs and outputs."""
    instance_id = workflows.start_hello("Ann")
    workflows.raise_approval(instance_id, [1, 2])
    workflows.finished(instance_id)

    story = [event for event in workflows.history(instance_id) if "turn_" not in event["type"]]

    by_type = {event["type"]: event for event in story}
    assert set(by_type) >= {
        "workflow_started",
        "task_scheduled",
        "task_completed",
        "event_raised",
        "workflow_completed",
    }
    assert by_type["workflow_started"]["name"] == HELLO
    assert by_type["workflow_started"]["input"] == "Ann"
    scheduled, completed = by_type["task_scheduled"], by_type["task_completed"]
    assert scheduled["name"] == completed["name"] == "interactive_hello_activity"
    assert scheduled["is_rerunnable"]
    assert completed["output"] == "Hello, Ann!"
    assert 0.4 < completed["duration_seconds"] < 30
    assert (by_type["event_raised"]["name"], by_type["event_raised"]["input"]) == (
        "approvalEvent",
        [1, 2],
    )
    assert by_type["workflow_completed"]["output"]["event_data"] == [1, 2]


@pytest.mark.parametrize("payload", [None, False, 0, "", [], {}, "ü😀"])
def test_an_event_may_arrive_before_the_workflow_waits(workflows: Workflows, payload: Any) -> None:
    """An event raised during a step is kept, whatever its payload."""
    instance_id = workflows.start_hello()
    workflows.wait_until_working(instance_id)

    expect(workflows.raise_approval(instance_id, payload), 202)

    assert workflows.finished(instance_id)["output"]["event_data"] == payload


def test_a_pause_during_an_activity(workflows: Workflows) -> None:
    """The activity finishes; the workflow stays there until it is resumed."""
    instance_id = workflows.start_hello()
    workflows.wait_until_working(instance_id)

    expect(workflows.post(f"/{instance_id}/pause"), 202)

    workflows.wait_for_status(instance_id, "SUSPENDED")
    workflows.wait_until_working(instance_id, part=STEP_PARTS)
    expect(workflows.raise_approval(instance_id, "while paused"), 202)
    expect(workflows.get(f"/{instance_id}/wait", timeout_seconds=1), 504, "WORKFLOW_TIMEOUT")
    assert workflows.status(instance_id)["runtime_status"] == "SUSPENDED"
    expect(workflows.post(f"/{instance_id}/resume"), 202)
    assert workflows.finished(instance_id)["output"]["event_data"] == "while paused"


def test_a_pause_during_a_wait(workflows: Workflows) -> None:
    """An event raised during the pause is kept, and used after the resume."""
    instance_id = workflows.start_hello()
    workflows.wait_until_waiting(instance_id)

    expect(workflows.post(f"/{instance_id}/pause"), 202)
    workflows.wait_for_status(instance_id, "SUSPENDED")
    expect(workflows.post(f"/{instance_id}/pause"), 202)
    expect(workflows.raise_approval(instance_id, {"approved": True}), 202)
    expect(workflows.get(f"/{instance_id}/wait", timeout_seconds=1), 504, "WORKFLOW_TIMEOUT")
    assert workflows.status(instance_id)["runtime_status"] == "SUSPENDED"

    expect(workflows.post(f"/{instance_id}/resume"), 202)
    done = workflows.finished(instance_id)
    assert (done["runtime_status"], done["output"]["event_data"]) == (
        "COMPLETED",
        {"approved": True},
    )
    types = [event["type"] for event in workflows.history(instance_id)]
    assert "workflow_suspended" in types
    assert "workflow_resumed" in types


def test_a_resumed_workflow_still_waits_for_its_event(workflows: Workflows) -> None:
    """It is RUNNING again, at the same point."""
    instance_id = workflows.start_hello()
    workflows.wait_until_waiting(instance_id)
    workflows.post(f"/{instance_id}/pause")
    workflows.wait_for_status(instance_id, "SUSPENDED")

    workflows.post(f"/{instance_id}/resume")

    workflows.wait_for_status(instance_id, "RUNNING")
    workflows.raise_approval(instance_id)
    assert workflows.finished(instance_id)["runtime_status"] == "COMPLETED"


@pytest.mark.parametrize("moment", ["working", "waiting", "paused"])
def test_a_workflow_can_be_terminated_at_any_point(workflows: Workflows, moment: str) -> None:
    """It is TERMINATED at once with the given output; a running activity's result is dropped."""
    instance_id = workflows.start_hello()
    if moment == "working":
        workflows.wait_until_working(instance_id)
    else:
        workflows.wait_until_waiting(instance_id)
    if moment == "paused":
        workflows.post(f"/{instance_id}/pause")
        workflows.wait_for_status(instance_id, "SUSPENDED")

    expect(workflows.post(f"/{instance_id}/terminate", {"why": "not needed"}), 202)

    done = workflows.finished(instance_id)
    assert (done["runtime_status"], done["output"]) == ("TERMINATED", {"why": "not needed"})
    workflows.wait_until_working(instance_id, part=STEP_PARTS)
    assert workflows.status(instance_id)["runtime_status"] == "TERMINATED"


def test_a_wait_returns_as_soon_as_the_instance_finishes(workflows: Workflows) -> None:
    """The response comes when the instance finishes, before the timeout."""
    instance_id = workflows.start_hello()
    workflows.wait_until_waiting(instance_id)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(workflows.finished, instance_id, 50)
        started_at = time.monotonic()
        workflows.raise_approval(instance_id)

        assert waiting.result(40)["runtime_status"] == "COMPLETED"
        assert time.monotonic() - started_at < 30


# The counter


def test_the_counter_can_be_paused_resumed_terminated_and_purged(workflows: Workflows) -> None:
    """Its custom status is the count, which stands still during the pause."""
    instance_id = workflows.start_counter(first=41)
    assert workflows.wait_until_count_exceeds(instance_id, 42) > 42

    expect(workflows.post(f"/{instance_id}/pause"), 202)
    paused_at = workflows.wait_for_status(instance_id, "SUSPENDED")["custom_status"]
    expect(workflows.get(f"/{instance_id}/wait", timeout_seconds=1), 504, "WORKFLOW_TIMEOUT")
    still = workflows.status(instance_id)
    assert (still["runtime_status"], still["custom_status"]) == ("SUSPENDED", paused_at)

    expect(workflows.post(f"/{instance_id}/resume"), 202)
    workflows.wait_until_count_exceeds(instance_id, paused_at)
    assert len(workflows.history(instance_id)) < 12, "it continues as new"
    expect(workflows.post(f"/{instance_id}/purge"), 409, "WORKFLOW_STILL_RUNNING")
    expect(workflows.post(f"/{instance_id}/terminate"), 202)
    assert workflows.finished(instance_id)["runtime_status"] == "TERMINATED"
    expect(workflows.post(f"/{instance_id}/purge"), 202)
    expect(workflows.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")


def test_the_counter_starts_at_zero_by_default(workflows: Workflows) -> None:
    """Without a body and an id it starts under a generated id."""
    made = expect(workflows.post(f"/{COUNTER}/start"), 202)["instance_id"]

    first = wait_for("a count", lambda: workflows.status(made)["custom_status"] is not None)

    assert first
    assert workflows.wait_until_count_exceeds(made, 0) < 20
    workflows.post(f"/{made}/terminate")


# Failures


def test_a_failed_workflow_gives_the_reason(workflows: Workflows) -> None:
    """Started directly with an input that is no count, the counter fails."""
    instance_id = f"bad-{new_suffix()}"
    start_bypassing_orders(workflows, instance_id, "no number")

    failed = workflows.finished(instance_id)

    assert failed["runtime_status"] == "FAILED"
    assert failed["failure"]["code"] == "WORKFLOW_FAILED"
    assert failed["failure"]["type"] == "ValidationError"
    assert "Count" in failed["failure"]["message"]
    assert failed["failure"]["activity"] is None


def start_bypassing_orders(workflows: Workflows, instance_id: str, payload: Any) -> None:
    base = f"{workflows.platform.sidecar_url('orders')}/v1.0/workflows/dapr"
    response = workflows.shop.http.post(
        f"{base}/{COUNTER}/start", params={"instanceID": instance_id}, json=payload
    )
    assert response.status_code == 202, response.text


# Errors


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "status"),
        ("get", "history"),
        ("get", "wait"),
        ("post", "pause"),
        ("post", "resume"),
        ("post", "terminate"),
        ("post", "raise_event/approvalEvent"),
        ("post", "purge"),
        ("post", "rerun?from_event=0"),
    ],
)
def test_every_operation_on_an_unknown_id_gets_404(
    workflows: Workflows, method: str, path: str
) -> None:
    """This holds also where the engine would answer otherwise."""
    for unknown in (f"nobody-{new_suffix()}", "a.b", "a b", "%00", "%F0%9F%98%80"):
        call = workflows.get if method == "get" else workflows.post
        expect(call(f"/{unknown}/{path}"), 404, "WORKFLOW_NOT_FOUND")


@pytest.fixture(scope="module", params=["COMPLETED", "TERMINATED", "FAILED"])
def finished(workflows: Workflows, request: pytest.FixtureRequest) -> str:
    """Return an instance that finished with this status."""
    if request.param == "FAILED":
        instance_id = f"bad-{new_suffix()}"
        start_bypassing_orders(workflows, instance_id, "no number")
    else:
        instance_id = workflows.start_hello()
        if request.param == "COMPLETED":
            workflows.raise_approval(instance_id)
        else:
            workflows.post(f"/{instance_id}/terminate")
    assert workflows.finished(instance_id)["runtime_status"] == request.param
    return instance_id


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate", "raise_event/approvalEvent"])
def test_operations_on_a_finished_instance_get_409(
    workflows: Workflows, finished: str, verb: str
) -> None:
    """The engine itself would accept them and do nothing."""
    before = workflows.status(finished)

    expect(workflows.post(f"/{finished}/{verb}"), 409, "WORKFLOW_NOT_RUNNING")

    assert workflows.status(finished) == before


def test_replacing_a_finished_instance_must_be_requested(
    workflows: Workflows, finished: str
) -> None:
    """A history is never overwritten by accident."""
    before = workflows.history(finished)
    path = f"/{HELLO}/start"

    expect(workflows.post(path, instance_id=finished), 409, "WORKFLOW_ALREADY_EXISTS")
    assert workflows.history(finished) == before

    expect(workflows.post(path, "Zoe", instance_id=finished, replace="true"), 202)
    workflows.raise_approval(finished, "again")
    done = workflows.finished(finished)
    assert done["output"]["initial_greeting"] == "Hello, Zoe!"
    assert done["output"]["event_data"] == "again"


def test_the_id_of_an_active_instance_cannot_be_reused(workflows: Workflows) -> None:
    """This also holds for replacing starts, on either path, and for concurrent ones."""
    suffix = new_suffix()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: workflows.post(f"/start/{suffix}"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + 7 * [409]

    again = workflows.post(f"/{HELLO}/start", instance_id=f"iwf-{suffix}", replace="true")
    expect(again, 409, "WORKFLOW_ALREADY_EXISTS")
    expect(workflows.post(f"/start/{suffix}"), 409, "WORKFLOW_ALREADY_EXISTS")
    workflows.post(f"/iwf-{suffix}/terminate")


def test_invalid_starts_are_refused(workflows: Workflows) -> None:
    """Unknown workflows, orders' own workflows and invalid inputs cannot be started."""
    expect(workflows.post("/nothing_workflow/start"), 404, "WORKFLOW_NOT_FOUND")
    expect(workflows.post("/order_processing_workflow/start", {}), 409, "WORKFLOW_PROTECTED")
    expect(workflows.post(f"/{COUNTER}/start", "five"), 422, "INVALID_INPUT")
    expect(workflows.post(f"/{HELLO}/start", "x", instance_id="a.b"), 422, "INVALID_INPUT")
    expect(workflows.post(f"/{HELLO}/start", "x" * 70_000), 422, "INVALID_INPUT")


@pytest.mark.parametrize("number", ["0", "-1", "301", "nan", "soon"])
def test_a_wait_timeout_must_be_within_bounds(workflows: Workflows, number: str) -> None:
    """The timeout is more than zero and at most five minutes."""
    expect(workflows.get("/x/wait", timeout_seconds=number), 422, "INVALID_INPUT")


# Reruns


def test_a_finished_instance_can_be_rerun_from_an_event(workflows: Workflows) -> None:
    """The rerun takes the recorded or a new input; the first instance stays unchanged."""
    instance_id = workflows.start_hello("Ann")
    workflows.raise_approval(instance_id, "first")
    before = workflows.finished(instance_id)
    (step,) = [event for event in workflows.history(instance_id) if event["is_rerunnable"]]
    path, again = f"/{instance_id}/rerun", f"again-{new_suffix()}"

    expect(workflows.post(path, from_event=step["event_id"], new_instance_id=again), 202)
    other = expect(workflows.post(path, "Zoe", from_event=step["event_id"]), 202)["instance_id"]

    for rerun, greeting in ((again, "Hello, Ann!"), (other, "Hello, Zoe!")):
        workflows.raise_approval(rerun, "second")
        output = workflows.finished(rerun)["output"]
        assert (output["initial_greeting"], output["event_data"]) == (greeting, "second")
    assert workflows.status(instance_id) == before
    taken = workflows.post(path, from_event=step["event_id"], new_instance_id=again)
    expect(taken, 409, "WORKFLOW_ALREADY_EXISTS")
    expect(workflows.post(path, from_event=4711), 422, "INVALID_INPUT")


def test_a_running_instance_cannot_be_rerun(workflows: Workflows) -> None:
    """It has to finish first."""
    instance_id = workflows.start_hello()

    expect(workflows.post(f"/{instance_id}/rerun", from_event=0), 409, "WORKFLOW_STILL_RUNNING")

    workflows.post(f"/{instance_id}/terminate")


# Lists and purges


MANY = 510


def test_instances_are_listed_filtered_and_purged_by_age(workflows: Workflows) -> None:
    """Each is on exactly one page, whatever the page size; only finished ones are purged."""
    prefix = f"many-{new_suffix()}"
    failing = [f"{prefix}-{number:04}" for number in range(MANY)]
    workflows.shop.at_once(
        lambda instance_id: start_bypassing_orders(workflows, instance_id, "no number"), failing
    )
    waiting = [workflows.start_hello() for _ in range(3)]
    wait_for(
        "all to have failed",
        lambda: len(all_ids(workflows, 500, prefix, status="FAILED", name=COUNTER)) == MANY,
        120,
    )

    for limit in (500, 97):
        assert all_ids(workflows, limit, prefix) == failing
    assert all_ids(workflows, 200, prefix, status="FAILED") == failing
    assert all_ids(workflows, 200, prefix, status="RUNNING") == []
    assert all_ids(workflows, 200, prefix, name=HELLO) == []
    listed = all_ids(workflows, 2, "iwf-", name=HELLO, status="RUNNING")
    assert set(waiting) <= set(listed)
    assert listed == sorted(set(listed))

    assert expect(workflows.post("/purge", older_than="1h"), 202)["purged"] == 0
    purged = expect(workflows.post("/purge", older_than="0s"), 202)["purged"]
    assert purged >= MANY
    assert all_ids(workflows, 500, prefix) == []
    assert set(waiting) <= set(all_ids(workflows, 500, "iwf-"))
    for instance_id in waiting:
        workflows.post(f"/{instance_id}/terminate")


def all_ids(workflows: Workflows, limit: int, prefix: str, **filters: str) -> list[str]:
    """Read all pages, check their sizes, and return the ids with a prefix."""
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = expect(workflows.get("", limit=limit, **filters, **cursor), 200)
        pages.append([item["instance_id"] for item in page["items"]])
        assert len(pages[-1]) <= limit
        if page["next"] is None:
            break
        assert len(pages[-1]) == limit, "only the last page is smaller"
        cursor = {"after": page["next"]}
    for page_ids, following in pairwise(pages):
        assert page_ids[-1] < following[0] if following else True
    return [one for page_ids in pages for one in page_ids if one.startswith(prefix)]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"status": "DONE"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"after": "!"}, "after"),
    ],
)
def test_invalid_list_parameters_get_422(
    workflows: Workflows, params: dict[str, str], field: str
) -> None:
    """The response names the invalid parameter."""
    problem = expect(workflows.get("", **params), 422, "INVALID_INPUT")

    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize("age", ["", "soon", "-1h", "7"])
def test_an_invalid_age_purges_nothing(workflows: Workflows, age: str) -> None:
    """The age is never guessed."""
    expect(workflows.post("/purge", older_than=age), 422, "INVALID_INPUT")


# Restarts


def test_instances_in_every_state_survive_a_restart(quick_platform: Platform) -> None:
    """Each can be managed afterwards as before."""
    shop = Shop(quick_platform)
    workflows = Workflows(shop)
    ids = [
        workflows.start_hello(name) for name in ("working", "waiting", "paused", "done", "ended")
    ]
    working, waiting, paused, done, ended = ids
    counting = workflows.start_counter()
    for instance_id in (waiting, paused):
        workflows.wait_until_waiting(instance_id)
    workflows.post(f"/{paused}/pause")
    workflows.wait_for_status(paused, "SUSPENDED")
    workflows.raise_approval(paused, "before the restart")
    workflows.raise_approval(done)
    before = workflows.finished(done)
    workflows.post(f"/{ended}/terminate")
    workflows.finished(ended)
    working = workflows.start_hello("working")
    workflows.wait_until_working(working)
    counted = workflows.wait_until_count_exceeds(counting, 0)

    restart(quick_platform)

    assert workflows.status(done) == before
    assert workflows.status(ended)["runtime_status"] == "TERMINATED"
    assert workflows.status(paused)["runtime_status"] == "SUSPENDED"
    workflows.wait_until_count_exceeds(counting, counted)
    workflows.raise_approval(working, 1)
    workflows.raise_approval(waiting, 2)
    workflows.post(f"/{paused}/resume")
    assert workflows.finished(working)["output"]["event_data"] == 1
    assert workflows.finished(waiting)["output"]["event_data"] == 2
    assert workflows.finished(paused)["output"]["event_data"] == "before the restart"
    workflows.post(f"/{counting}/terminate")
    assert workflows.finished(counting)["runtime_status"] == "TERMINATED"
    for instance_id in (done, ended, counting):
        expect(workflows.post(f"/{instance_id}/purge"), 202)
        expect(workflows.get(f"/{instance_id}/status"), 404, "WORKFLOW_NOT_FOUND")
    shop.close()


def test_an_unavailable_sidecar_gets_503(quick_platform: Platform) -> None:
    """The answer is 503 while the sidecar restarts, never a bare 500; then calls succeed again."""
    shop = Shop(quick_platform)
    workflows = Workflows(shop)
    instance_id = workflows.start_hello()
    workflows.wait_until_waiting(instance_id)
    former = quick_platform.kill("orders-daprd")

    answers = {workflows.get(f"/{instance_id}/status").status_code for _ in range(3)}
    problem = workflows.post(f"/{instance_id}/pause")

    assert answers <= {200, 503}
    if problem.status_code != 202:
        expect(problem, 503, "SIDECAR_UNAVAILABLE")
    quick_platform.wait_for_restart("orders-daprd", former)
    quick_platform.wait_until_ready()
    workflows.post(f"/{instance_id}/resume")
    workflows.raise_approval(instance_id)
    assert workflows.finished(instance_id)["runtime_status"] == "COMPLETED"
    shop.close()
