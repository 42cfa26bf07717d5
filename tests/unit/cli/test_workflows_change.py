"""Commands that start, control and purge workflows."""

import json
from pathlib import Path

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ORDER, ManagedWorkflows, Request

pytestmark = pytest.mark.usefixtures("settings")

PRECISE = '{"ä": 1.000000000000000000001}'


def test_a_workflow_is_started(run: Run, workflows: ManagedWorkflows) -> None:
    """The output has the ID and the command to wait, and the input is sent unchanged."""
    outcome = run("workflows", "start", HELLO, "--id", "a", "--input", '"Ada"')

    assert outcome.out == (
        f"Started {HELLO} as a. Wait for the result with `orderflow workflows wait a`.\n"
    )
    assert workflows.instances["a"]["input"] == "Ada"
    assert outcome.code == 0


def test_a_start_as_json_includes_the_generated_id(run: Run) -> None:
    """A program can read the ID from the service's response."""
    document = json.loads(run("workflows", "start", HELLO, "--json").out)

    assert document == {"message": "Workflow scheduled successfully", "instance_id": "made"}


@pytest.mark.parametrize(
    ("options", "body"),
    [([], ""), (["--input", "null"], "null"), (["--input", PRECISE], PRECISE)],
)
def test_json_is_sent_as_it_was_given(
    run: Run, workflows: ManagedWorkflows, options: list[str], body: str
) -> None:
    """A missing input differs from null, and numbers are not rounded."""
    run("workflows", "start", HELLO, *options)

    [request] = workflows.requests
    assert request.body == body.encode()


def test_json_may_come_from_a_file_or_standard_input(
    run: Run, workflows: ManagedWorkflows, tmp_path: Path
) -> None:
    """@FILE reads a file, and @- reads standard input."""
    file = tmp_path / "input.json"
    file.write_text('\ufeff{"name": "Ada"}\n', encoding="utf-8")

    run("workflows", "start", HELLO, "--id", "a", "--input", f"@{file}")
    run("workflows", "start", HELLO, "--id", "b", "--input", "@-", typed="[1]")

    inputs = [workflows.instances[key]["input"] for key in ("a", "b")]
    assert inputs == [{"name": "Ada"}, [1]]


def test_a_finished_workflow_is_replaced_only_with_the_option(
    run: Run, workflows: ManagedWorkflows
) -> None:
    """A history is not overwritten by accident."""
    workflows.put("a", "COMPLETED")

    refused = run("workflows", "start", HELLO, "--id", "a")
    replaced = run("workflows", "start", HELLO, "--id", "a", "--replace")

    assert (refused.code, replaced.code) == (1, 0)
    assert refused.err == "orderflow: orders: a is taken (WORKFLOW_ALREADY_EXISTS)\n"
    assert workflows.instances["a"]["runtime_status"] == "RUNNING"


@pytest.mark.parametrize(
    ("verb", "status"), [("pause", "SUSPENDED"), ("resume", "RUNNING"), ("terminate", "TERMINATED")]
)
def test_a_workflow_is_paused_resumed_and_terminated(
    run: Run, workflows: ManagedWorkflows, verb: str, status: str
) -> None:
    """The service's response is printed."""
    workflows.put("a")

    outcome = run("workflows", verb, "a", *(["--yes"] if verb == "terminate" else []))

    assert workflows.instances["a"]["runtime_status"] == status
    assert outcome.out.endswith(" requested for a.\n")
    assert outcome.code == 0


def test_an_event_is_raised_with_its_data(run: Run, workflows: ManagedWorkflows) -> None:
    """Name and data are sent unchanged, whatever characters they contain."""
    workflows.put("a")

    outcome = run("workflows", "raise", "a", "über 100%?", "--data", '{"approved": true}')

    assert workflows.instances["a"]["custom_status"] == {"über 100%?": {"approved": True}}
    assert outcome.code == 0


def test_a_workflow_is_rerun(run: Run, workflows: ManagedWorkflows) -> None:
    """The event, the new ID and the new input are sent, and the new ID is printed."""
    workflows.put("a", "FAILED")

    outcome = run("workflows", "rerun", "a", "--from", "0", "--id", "b", "--input", "null")

    assert workflows.requests == [
        Request("POST", "/a/rerun", {"from_event": "0", "new_instance_id": "b"}, b"null")
    ]
    assert outcome.out == (
        "Rerunning a from event 0 as b. Wait for the result with `orderflow workflows wait b`.\n"
    )


def test_a_finished_workflow_is_purged(run: Run, workflows: ManagedWorkflows) -> None:
    """Only the named workflow is purged."""
    workflows.put("a", "COMPLETED")
    workflows.put("b", "COMPLETED")

    outcome = run("workflows", "purge", "a", "--yes")

    assert (list(workflows.instances), outcome.code) == (["b"], 0)


def test_old_workflows_are_purged_together(run: Run, workflows: ManagedWorkflows) -> None:
    """The age is sent unchanged, and the number of purged workflows is printed."""
    workflows.put("a", "COMPLETED")
    workflows.put("b")

    document = json.loads(run("workflows", "purge", "--older-than", "1h30m", "--yes", "--json").out)

    assert document == {"message": "1 workflow instances purged", "purged": 1}
    assert [request.query for request in workflows.requests] == [{"older_than": "1h30m"}]


def test_an_order_is_terminated_only_with_force(run: Run, workflows: ManagedWorkflows) -> None:
    """Without --force it is protected; with it the question names the consequence."""
    workflows.put("a", name=ORDER)

    refused = run("workflows", "terminate", "a", "--yes")
    forced = run("workflows", "terminate", "a", "--force", typed="yes\n")

    assert (refused.code, forced.code) == (1, 0)
    assert "(WORKFLOW_PROTECTED)" in refused.err
    assert "If it is an order, the order is rolled back. [y/N]" in forced.err


QUESTIONS = pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (["terminate", "a"], "Terminate a permanently? [y/N] "),
        (["purge", "a"], "Purge a and its history? [y/N] "),
        (
            ["purge", "--older-than", "720h"],
            "Purge every workflow that finished more than 720h ago? [y/N] ",
        ),
    ],
)


@QUESTIONS
@pytest.mark.parametrize("typed", ["n\n", "\n", "", "maybe\n"])
def test_permanent_deletion_asks_for_confirmation(
    run: Run, workflows: ManagedWorkflows, arguments: list[str], question: str, typed: str
) -> None:
    """Any answer except yes, or none, changes nothing."""
    outcome = run("workflows", *arguments, typed=typed)

    assert (outcome.code, outcome.out, workflows.requests) == (1, "", [])
    assert outcome.err.startswith(question)
    assert outcome.err.endswith("orderflow: not confirmed, so nothing was changed\n")


@QUESTIONS
@pytest.mark.parametrize("typed", ["y\n", "YES\n", "y"])
def test_a_confirmed_change_is_made(
    run: Run, workflows: ManagedWorkflows, arguments: list[str], question: str, typed: str
) -> None:
    """The question is not part of standard output, so that a program can read the result."""
    workflows.put("a", "RUNNING" if arguments[0] == "terminate" else "COMPLETED")

    outcome = run("workflows", *arguments, "--json", typed=typed)

    assert (outcome.code, outcome.err.startswith(question)) == (0, True)
    assert "message" in json.loads(outcome.out)


def test_ids_of_other_kinds_are_accepted(run: Run, workflows: ManagedWorkflows) -> None:
    """The engine generates IDs for children, and accepts most characters."""
    instance_id = "a:0001 b?c#d%2Fé"
    workflows.put(instance_id)

    assert run("workflows", "pause", instance_id).code == 0
    assert workflows.instances[instance_id]["runtime_status"] == "SUSPENDED"
