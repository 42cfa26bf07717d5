"""Read-only commands for workflows."""

import json
import re
import shlex

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ORDER, ManagedWorkflows
from orderflow_cli.client import Orderflow
from orderflow_cli.settings import Settings

pytestmark = pytest.mark.usefixtures("settings")

QUERIES = (["status", "a"], ["history", "a"], ["wait", "a"])
FAILURE = {
    "code": "ACTIVITY_EXECUTION_FAILED",
    "type": "TaskFailedError",
    "message": "no \x1b[31mpaper",
    "activity": "greet",
}


def test_workflows_are_listed(run: Run, workflows: ManagedWorkflows) -> None:
    """The list shows each workflow's status, with a note or the failure."""
    workflows.put("a", custom_status=7)
    workflows.put("b", "FAILED", failure=FAILURE)

    outcome = run("workflows", "list")

    assert re.search(rf"a +{HELLO} +RUNNING +7 +2026", outcome.out)
    assert re.search(
        r"b +\S+ +FAILED +ACTIVITY_EXECUTION_FAILED in greet: no \?\[31mpaper +2026", outcome.out
    )
    assert (len(outcome.lines), outcome.code) == (3, 0)


def test_a_list_can_be_filtered(run: Run, workflows: ManagedWorkflows) -> None:
    """Status and name are filters, and the status may be in lower case."""
    workflows.put("a", "COMPLETED")
    workflows.put("b")
    workflows.put("c", "COMPLETED", name=ORDER)

    outcome = run("workflows", "list", "--status", "completed", "--name", HELLO, "--json")

    document = json.loads(outcome.out)
    assert [item["instance_id"] for item in document["items"]] == ["a"]
    assert document["next"] is None


def test_a_list_can_be_filtered_by_time(run: Run, workflows: ManagedWorkflows) -> None:
    """Orders gets the times, and so does the command that continues the list."""
    for name in ("a", "b"):
        workflows.put(name)
    times = {"created_from": "2026-03-01T00:00:00Z", "created_before": "2026-04-01T00:00:00Z"}

    options = [f"--{key.replace('_', '-')}={value}" for key, value in times.items()]
    outcome = run("workflows", "list", "--limit=1", *options)

    assert times.items() <= workflows.requests[-1].query.items()
    [command] = re.findall("`(.*)`", outcome.lines[-1])
    assert run(*shlex.split(command)[1:]).code == 0
    assert times.items() <= workflows.requests[-1].query.items()


def test_a_partial_list_prints_the_command_that_continues(
    run: Run, workflows: ManagedWorkflows
) -> None:
    """The printed command lists the rest with the same filters."""
    for number in range(5):
        workflows.put(f"w-{number}")

    first = run("workflows", "list", "--status", "RUNNING", "--limit", "3")

    [command] = re.findall("`(.*)`", first.lines[-1])
    assert command == "orderflow workflows list --status RUNNING --limit 3 --after 3"
    rest = run(*shlex.split(command)[1:])
    assert re.findall(r"^w-\d", first.out + rest.out, re.MULTILINE) == [
        f"w-{number}" for number in range(5)
    ]
    assert "more" not in rest.out


def test_a_long_list_is_read_in_pages(run: Run, workflows: ManagedWorkflows) -> None:
    """The requested number is read, however small the pages are, and the cursor is returned."""
    workflows.page_size = 2
    for number in range(9):
        workflows.put(f"w-{number}")

    document = json.loads(run("workflows", "list", "--limit", "7", "--json").out)

    assert (len(document["items"]), document["next"]) == (7, "7")
    assert [request.query["limit"] for request in workflows.requests] == ["7", "5", "3", "1"]


def test_an_empty_list_says_so(run: Run) -> None:
    """An empty list is a sentence, or an empty list in JSON."""
    assert run("workflows", "list").out == "No matching workflows.\n"
    assert json.loads(run("workflows", "list", "--json").out) == {"items": [], "next": None}


def test_a_status_shows_all_details(run: Run, workflows: ManagedWorkflows) -> None:
    """Input and output are JSON, and a failure shows its code, activity and reason."""
    workflows.put("a", "FAILED", input={"name": "Ada"}, custom_status=3, failure=FAILURE)

    outcome = run("workflows", "status", "a")

    assert re.search(r"status +FAILED *\n", outcome.out)
    assert re.search(r'input +\{"name": "Ada"\}', outcome.out)
    assert re.search(r"output +- *\n", outcome.out)
    assert re.search(r"custom status +3", outcome.out)
    assert "ACTIVITY_EXECUTION_FAILED in greet: no ?[31mpaper" in outcome.out
    assert outcome.code == 0


def test_a_status_as_json_is_the_document_of_orders(run: Run, workflows: ManagedWorkflows) -> None:
    """JSON output has every field of the service's response."""
    workflows.put("a", "FAILED", input=[1], failure=FAILURE)

    document = json.loads(run("workflows", "status", "a", "--json").out)

    assert document == workflows.instances["a"]


def test_an_unknown_status_is_shown_unchanged(run: Run, workflows: ManagedWorkflows) -> None:
    """A newer engine may have additional states."""
    workflows.put("a", "HIBERNATING")

    assert "HIBERNATING" in run("workflows", "status", "a").out


@pytest.mark.parametrize(
    ("status", "code"), [("COMPLETED", 0), ("FAILED", 3), ("TERMINATED", 3), ("RUNNING", 4)]
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_exit_code_of_wait_shows_the_outcome(
    run: Run, workflows: ManagedWorkflows, status: str, code: int, options: list[str]
) -> None:
    """0 means completed, 3 failed or terminated, 4 not finished in time."""
    workflows.put("a", status)

    assert run("workflows", "wait", "a", "--timeout", "5", *options).code == code


def test_a_timeout_shows_the_status(run: Run, workflows: ManagedWorkflows) -> None:
    """People see a sentence, and programs get the instance as JSON."""
    workflows.put("a", "SUSPENDED")

    text = run("workflows", "wait", "a", "--timeout", "5")
    document = json.loads(run("workflows", "wait", "a", "--timeout", "5", "--json").out)

    assert (text.out, text.err) == ("", "orderflow: a is still SUSPENDED after 5 s\n")
    assert document["runtime_status"] == "SUSPENDED"


def test_a_long_wait_takes_several_requests(run: Run, workflows: ManagedWorkflows) -> None:
    """No request waits longer than orders allows."""
    workflows.put("a")
    workflows.waits_until_end = 2

    outcome = run("workflows", "wait", "a", "--timeout", "150")

    waits = [request.query["timeout_seconds"] for request in workflows.requests]
    assert (waits, outcome.code) == (["60", "60", "30"], 0)
    assert "COMPLETED" in outcome.out


def test_finishing_at_the_last_moment_counts(
    settings: Settings, workflows: ManagedWorkflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow that finishes between the last wait and the final read has finished in time."""
    workflows.put("a")
    refuse = workflows._wait

    def end_after(*arguments: object) -> object:
        try:
            return refuse(*arguments)  # type: ignore[arg-type] # passed on unchanged
        finally:
            workflows.put("a", "COMPLETED")

    monkeypatch.setattr(workflows, "_wait", end_after)

    with Orderflow(settings) as flow:
        assert flow.workflows.wait("a", 1).is_finished


@pytest.mark.parametrize("arguments", QUERIES)
def test_an_unknown_workflow_is_reported(run: Run, arguments: list[str]) -> None:
    """The error is one sentence with the code, and the exit code is 1."""
    outcome = run("workflows", *arguments)

    assert outcome.code == 1
    assert outcome.err == (
        "orderflow: orders: there is no workflow instance a (WORKFLOW_NOT_FOUND)\n"
    )


@pytest.mark.parametrize("arguments", [*QUERIES, ["list"]])
def test_an_unavailable_sidecar_is_reported(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """The error is neither a missing workflow nor a timeout."""
    workflows.is_away = True

    outcome = run("workflows", *arguments)

    assert outcome.code == 1
    assert "the sidecar does not answer (SIDECAR_UNAVAILABLE)" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["status"],
        ["history", "a", "--fuller"],
        ["list", "--status", "LOST"],
        ["list", "--limit", "0"],
        ["wait", "a", "--timeout", "0"],
    ],
)
def test_wrong_usage_has_its_own_exit_code(run: Run, arguments: list[str]) -> None:
    """Exit code 2 means that the command was not understood."""
    assert run("workflows", *arguments).code == 2
