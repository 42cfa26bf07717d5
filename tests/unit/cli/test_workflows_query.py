"""Commands that look at workflows."""

import json
import re
import shlex

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ORDER, ManagedWorkflows
from orderflow_cli.client import Orderflow
from orderflow_cli.settings import Settings

pytestmark = pytest.mark.usefixtures("settings")

LOOKS = (["status", "a"], ["history", "a"], ["wait", "a"])
FAILURE = {
    "code": "ACTIVITY_EXECUTION_FAILED",
    "type": "TaskFailedError",
    "message": "no \x1b[31mpaper",
    "activity": "greet",
}


def test_workflows_are_listed(run: Run, workflows: ManagedWorkflows) -> None:
    """The list says where each is, and what a person would ask about it next."""
    workflows.put("a", custom_status=7)
    workflows.put("b", "FAILED", failure=FAILURE)

    outcome = run("workflows", "list")

    assert re.search(rf"a +{HELLO} +RUNNING +7 +2026", outcome.out)
    assert re.search(
        r"b +\S+ +FAILED +ACTIVITY_EXECUTION_FAILED in greet: no \?\[31mpaper +2026", outcome.out
    )
    assert (len(outcome.lines), outcome.code) == (3, 0)


def test_a_list_can_be_narrowed(run: Run, workflows: ManagedWorkflows) -> None:
    """Status and name choose, and the status may be written small."""
    workflows.put("a", "COMPLETED")
    workflows.put("b")
    workflows.put("c", "COMPLETED", name=ORDER)

    outcome = run("workflows", "list", "--status", "completed", "--name", HELLO, "--json")

    document = json.loads(outcome.out)
    assert [item["instance_id"] for item in document["items"]] == ["a"]
    assert document["next"] is None


def test_a_list_that_goes_on_says_how_to_read_on(run: Run, workflows: ManagedWorkflows) -> None:
    """The command that is told reads the rest, with the same choice."""
    for number in range(5):
        workflows.put(f"w-{number}")

    first = run("workflows", "list", "--status", "RUNNING", "--limit", "3")

    [told] = re.findall("`(.*)`", first.lines[-1])
    assert told == "orderflow workflows list --status RUNNING --limit 3 --after 3"
    rest = run(*shlex.split(told)[1:])
    assert re.findall(r"^w-\d", first.out + rest.out, re.MULTILINE) == [
        f"w-{number}" for number in range(5)
    ]
    assert "more" not in rest.out


def test_a_long_list_is_read_in_pages(run: Run, workflows: ManagedWorkflows) -> None:
    """As many are read as were asked for, however small the pages are, and the cursor is told."""
    workflows.page_size = 2
    for number in range(9):
        workflows.put(f"w-{number}")

    document = json.loads(run("workflows", "list", "--limit", "7", "--json").out)

    assert (len(document["items"]), document["next"]) == (7, "7")
    assert [request.query["limit"] for request in workflows.requests] == ["7", "5", "3", "1"]


def test_an_empty_list_says_so(run: Run) -> None:
    """Nothing is told in words, and in JSON as an empty list."""
    assert run("workflows", "list").out == "There is no such workflow.\n"
    assert json.loads(run("workflows", "list", "--json").out) == {"items": [], "next": None}


def test_a_status_shows_all_that_is_known(run: Run, workflows: ManagedWorkflows) -> None:
    """Input and output are JSON, and a failure names its code, the activity and the reason."""
    workflows.put("a", "FAILED", input={"name": "Ada"}, custom_status=3, failure=FAILURE)

    outcome = run("workflows", "status", "a")

    assert re.search(r"status +FAILED *\n", outcome.out)
    assert re.search(r'input +\{"name": "Ada"\}', outcome.out)
    assert re.search(r"output +- *\n", outcome.out)
    assert re.search(r"says +3", outcome.out)
    assert "ACTIVITY_EXECUTION_FAILED in greet: no ?[31mpaper" in outcome.out
    assert outcome.code == 0


def test_a_status_as_json_is_the_document_of_orders(run: Run, workflows: ManagedWorkflows) -> None:
    """Programs get every field, by the names of the service."""
    workflows.put("a", "FAILED", input=[1], failure=FAILURE)

    document = json.loads(run("workflows", "status", "a", "--json").out)

    assert document == workflows.instances["a"]


def test_a_status_that_is_not_known_is_shown_as_it_is(
    run: Run, workflows: ManagedWorkflows
) -> None:
    """A newer engine may have states of its own."""
    workflows.put("a", "HIBERNATING")

    assert "HIBERNATING" in run("workflows", "status", "a").out


@pytest.mark.parametrize(
    ("status", "code"), [("COMPLETED", 0), ("FAILED", 3), ("TERMINATED", 3), ("RUNNING", 4)]
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_waiting_tells_by_its_exit_code_how_it_ended(
    run: Run, workflows: ManagedWorkflows, status: str, code: int, options: list[str]
) -> None:
    """0 completed, 3 ended otherwise, 4 not ended in time."""
    workflows.put("a", status)

    assert run("workflows", "wait", "a", "--timeout", "5", *options).code == code


def test_waiting_in_vain_says_where_it_is(run: Run, workflows: ManagedWorkflows) -> None:
    """A person reads a sentence; a program has the instance as it is."""
    workflows.put("a", "SUSPENDED")

    told = run("workflows", "wait", "a", "--timeout", "5")
    document = json.loads(run("workflows", "wait", "a", "--timeout", "5", "--json").out)

    assert (told.out, told.err) == ("", "orderflow: a is still SUSPENDED after 5 s\n")
    assert document["runtime_status"] == "SUSPENDED"


def test_a_long_wait_is_made_of_several(run: Run, workflows: ManagedWorkflows) -> None:
    """No single request lasts longer than orders allows."""
    workflows.put("a")
    workflows.waits_until_end = 2

    outcome = run("workflows", "wait", "a", "--timeout", "150")

    waits = [request.query["timeout_seconds"] for request in workflows.requests]
    assert (waits, outcome.code) == (["60", "60", "30"], 0)
    assert "COMPLETED" in outcome.out


def test_an_end_at_the_last_moment_counts(
    settings: Settings, workflows: ManagedWorkflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has ended between the last wait and the look at it has ended in time."""
    workflows.put("a")
    refuse = workflows._wait

    def end_after(*arguments: object) -> object:
        try:
            return refuse(*arguments)  # type: ignore[arg-type] # passed on as they come
        finally:
            workflows.put("a", "COMPLETED")

    monkeypatch.setattr(workflows, "_wait", end_after)

    with Orderflow(settings) as flow:
        assert flow.workflows.wait("a", 1).is_finished


@pytest.mark.parametrize("arguments", LOOKS)
def test_looking_at_nothing_is_told(run: Run, arguments: list[str]) -> None:
    """One sentence with the code, and exit code 1."""
    outcome = run("workflows", *arguments)

    assert outcome.code == 1
    assert outcome.err == (
        "orderflow: orders: there is no workflow instance a (WORKFLOW_NOT_FOUND)\n"
    )


@pytest.mark.parametrize("arguments", [*LOOKS, ["list"]])
def test_a_sidecar_that_is_away_is_told(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """It is neither an absence nor a wait that ran out."""
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
    """2 says that the command was not understood."""
    assert run("workflows", *arguments).code == 2
