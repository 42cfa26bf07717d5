"""Commands that start, steer and forget workflows."""

import json
from pathlib import Path

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ORDER, ManagedWorkflows, Request

pytestmark = pytest.mark.usefixtures("settings")

PRECISE = '{"ä": 1.000000000000000000001}'


def test_a_workflow_is_started(run: Run, workflows: ManagedWorkflows) -> None:
    """The id is told with the command that waits for the end, and the input arrives as it is."""
    outcome = run("workflows", "start", HELLO, "--id", "a", "--input", '"Ada"')

    assert outcome.out == (
        f"{HELLO} is started as a. `orderflow workflows wait a` tells how it ends.\n"
    )
    assert workflows.instances["a"]["input"] == "Ada"
    assert outcome.code == 0


def test_a_start_as_json_tells_the_id_that_was_made(run: Run) -> None:
    """A program reads the id from what orders answers."""
    document = json.loads(run("workflows", "start", HELLO, "--json").out)

    assert document == {"message": "Workflow scheduled successfully", "instance_id": "made"}


@pytest.mark.parametrize(
    ("options", "body"),
    [([], ""), (["--input", "null"], "null"), (["--input", PRECISE], PRECISE)],
)
def test_json_is_sent_as_it_was_given(
    run: Run, workflows: ManagedWorkflows, options: list[str], body: str
) -> None:
    """No input is not the same as null, and numbers are not rounded on the way."""
    run("workflows", "start", HELLO, *options)

    [request] = workflows.requests
    assert request.body == body.encode()


def test_json_may_come_from_a_file_or_standard_input(
    run: Run, workflows: ManagedWorkflows, tmp_path: Path
) -> None:
    """@FILE reads a file, and @- what is typed or piped in."""
    file = tmp_path / "input.json"
    file.write_text('\ufeff{"name": "Ada"}\n', encoding="utf-8")

    run("workflows", "start", HELLO, "--id", "a", "--input", f"@{file}")
    run("workflows", "start", HELLO, "--id", "b", "--input", "@-", typed="[1]")

    inputs = [workflows.instances[key]["input"] for key in ("a", "b")]
    assert inputs == [{"name": "Ada"}, [1]]


def test_a_finished_one_gives_way_only_when_told_to(run: Run, workflows: ManagedWorkflows) -> None:
    """Nobody overwrites a history by accident."""
    workflows.put("a", "COMPLETED")

    refused = run("workflows", "start", HELLO, "--id", "a")
    replaced = run("workflows", "start", HELLO, "--id", "a", "--replace")

    assert (refused.code, replaced.code) == (1, 0)
    assert refused.err == "orderflow: orders: a is taken (WORKFLOW_ALREADY_EXISTS)\n"
    assert workflows.instances["a"]["runtime_status"] == "RUNNING"


@pytest.mark.parametrize(
    ("verb", "status"), [("pause", "SUSPENDED"), ("resume", "RUNNING"), ("terminate", "TERMINATED")]
)
def test_a_workflow_is_steered(
    run: Run, workflows: ManagedWorkflows, verb: str, status: str
) -> None:
    """What orders answers is told."""
    workflows.put("a")

    outcome = run("workflows", verb, "a", *(["--yes"] if verb == "terminate" else []))

    assert workflows.instances["a"]["runtime_status"] == status
    assert outcome.out.endswith(" requested for a.\n")
    assert outcome.code == 0


def test_an_event_is_raised_with_its_data(run: Run, workflows: ManagedWorkflows) -> None:
    """Name and payload arrive as they were given, whatever letters they have."""
    workflows.put("a")

    outcome = run("workflows", "raise", "a", "über 100%?", "--data", '{"approved": true}')

    assert workflows.instances["a"]["custom_status"] == {"über 100%?": {"approved": True}}
    assert outcome.code == 0


def test_a_workflow_is_run_again(run: Run, workflows: ManagedWorkflows) -> None:
    """The event, the new id and the new input are sent, and the new id is told."""
    workflows.put("a", "FAILED")

    outcome = run("workflows", "rerun", "a", "--from", "0", "--id", "b", "--input", "null")

    assert workflows.requests == [
        Request("POST", "/a/rerun", {"from_event": "0", "new_instance_id": "b"}, b"null")
    ]
    assert outcome.out == (
        "a runs again from event 0 as b. `orderflow workflows wait b` tells how it ends.\n"
    )


def test_a_finished_workflow_is_forgotten(run: Run, workflows: ManagedWorkflows) -> None:
    """One is named, and only that one goes."""
    workflows.put("a", "COMPLETED")
    workflows.put("b", "COMPLETED")

    outcome = run("workflows", "purge", "a", "--yes")

    assert (list(workflows.instances), outcome.code) == (["b"], 0)


def test_old_ones_are_forgotten_at_once(run: Run, workflows: ManagedWorkflows) -> None:
    """The age is sent as it was written, and the number is told."""
    workflows.put("a", "COMPLETED")
    workflows.put("b")

    document = json.loads(run("workflows", "purge", "--older-than", "1h30m", "--yes", "--json").out)

    assert document == {"message": "1 workflow instances purged", "purged": 1}
    assert [request.query for request in workflows.requests] == [{"older_than": "1h30m"}]


def test_an_order_is_terminated_by_force_alone(run: Run, workflows: ManagedWorkflows) -> None:
    """Without --force it is protected; with it the question says what follows."""
    workflows.put("a", name=ORDER)

    refused = run("workflows", "terminate", "a", "--yes")
    forced = run("workflows", "terminate", "a", "--force", typed="yes\n")

    assert (refused.code, forced.code) == (1, 0)
    assert "(WORKFLOW_PROTECTED)" in refused.err
    assert "If it carries an order, that is undone. [y/N]" in forced.err


QUESTIONS = pytest.mark.parametrize(
    ("arguments", "question"),
    [
        (["terminate", "a"], "Terminate a for good? [y/N] "),
        (["purge", "a"], "Forget a and its history? [y/N] "),
        (
            ["purge", "--older-than", "720h"],
            "Forget every workflow that finished more than 720h ago? [y/N] ",
        ),
    ],
)


@QUESTIONS
@pytest.mark.parametrize("typed", ["n\n", "\n", "", "maybe\n"])
def test_what_is_lost_for_good_is_asked_about(
    run: Run, workflows: ManagedWorkflows, arguments: list[str], question: str, typed: str
) -> None:
    """Anything but yes, and no answer at all, leaves everything as it is."""
    outcome = run("workflows", *arguments, typed=typed)

    assert (outcome.code, outcome.out, workflows.requests) == (1, "", [])
    assert outcome.err.startswith(question)
    assert outcome.err.endswith("orderflow: nothing was done: the answer was not yes\n")


@QUESTIONS
@pytest.mark.parametrize("typed", ["y\n", "YES\n", "y"])
def test_a_yes_goes_ahead(
    run: Run, workflows: ManagedWorkflows, arguments: list[str], question: str, typed: str
) -> None:
    """The question is no part of the output, so that a program can read what follows."""
    workflows.put("a", "RUNNING" if arguments[0] == "terminate" else "COMPLETED")

    outcome = run("workflows", *arguments, "--json", typed=typed)

    assert (outcome.code, outcome.err.startswith(question)) == (0, True)
    assert "message" in json.loads(outcome.out)


def test_ids_of_every_other_kind_arrive(run: Run, workflows: ManagedWorkflows) -> None:
    """The engine makes ids of its own for children, and takes most letters."""
    instance_id = "a:0001 b?c#d%2Fé"
    workflows.put(instance_id)

    assert run("workflows", "pause", instance_id).code == 0
    assert workflows.instances[instance_id]["runtime_status"] == "SUSPENDED"
