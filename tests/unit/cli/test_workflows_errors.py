"""Errors of commands that change workflows."""

from pathlib import Path

import pytest

from fakes.command import Run
from fakes.workflow_server import HELLO, ORDER, ManagedWorkflows

pytestmark = pytest.mark.usefixtures("settings")

CHANGES = (
    ["pause", "a"],
    ["resume", "a"],
    ["terminate", "a", "--yes"],
    ["raise", "a", "approvalEvent"],
    ["purge", "a", "--yes"],
    ["rerun", "a", "--from", "0"],
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["start", HELLO, "--input", "Ada"],
        ["start", HELLO, "--input", "NaN"],
        ["start", HELLO, "--input", ""],
        ["raise", "a", "approvalEvent", "--data", "{"],
        ["rerun", "a", "--from", "0", "--input", "[" * 100_000],
    ],
)
def test_invalid_json_is_wrong_usage(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """No request is sent."""
    outcome = run("workflows", *arguments)

    assert (outcome.code, workflows.requests) == (2, [])
    words = outcome.err.replace("│", " ").split()  # the text is wrapped within a frame
    assert "is not valid JSON" in " ".join(words)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"Ada", "is not valid JSON"), (b"\xff", "not UTF-8")],
)
def test_a_file_without_valid_json_is_reported(
    run: Run, workflows: ManagedWorkflows, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """The error names the file."""
    file = tmp_path / "input.json"
    if content is not None:
        file.write_bytes(content)

    outcome = run("workflows", "start", HELLO, "--input", f"@{file}")

    assert (outcome.code, workflows.requests) == (1, [])
    assert outcome.err.startswith(f"orderflow: {file} ")
    assert message in outcome.err


@pytest.mark.parametrize(
    ("name", "code"), [(ORDER, "WORKFLOW_PROTECTED"), ("unheard_of", "WORKFLOW_NOT_FOUND")]
)
def test_a_rejected_start_is_reported(run: Run, name: str, code: str) -> None:
    """Order workflows are protected, and unknown names are not found."""
    outcome = run("workflows", "start", name)

    assert (outcome.code, outcome.err[-len(code) - 3 :]) == (1, f"({code})\n")


def test_an_event_that_cannot_be_rerun_is_reported(run: Run, workflows: ManagedWorkflows) -> None:
    """The service names the invalid field."""
    workflows.put("a", "COMPLETED")

    outcome = run("workflows", "rerun", "a", "--from", "9")

    assert (outcome.code, outcome.err) == (
        1,
        "orderflow: orders: from_event: cannot be rerun from (INVALID_INPUT)\n",
    )


def test_an_invalid_age_is_reported(run: Run) -> None:
    """The service shows the format of an age."""
    outcome = run("workflows", "purge", "--older-than", "long", "--yes")

    assert (outcome.code, outcome.err) == (
        1,
        "orderflow: orders: older_than: is not a duration such as 720h (INVALID_INPUT)\n",
    )


@pytest.mark.parametrize("arguments", CHANGES)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_unknown_workflow_is_reported(
    run: Run, arguments: list[str], options: list[str]
) -> None:
    """The error is one sentence with the code, and standard output stays empty."""
    outcome = run("workflows", *arguments, *options)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "orderflow: orders: there is no workflow instance a (WORKFLOW_NOT_FOUND)\n"
    )


@pytest.mark.parametrize("arguments", CHANGES)
def test_a_change_that_the_state_does_not_allow_is_reported(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """A running workflow cannot be purged or rerun, and a finished one cannot be controlled."""
    must_be_finished = arguments[0] in ("purge", "rerun")
    workflows.put("a", "RUNNING" if must_be_finished else "COMPLETED")

    outcome = run("workflows", *arguments)

    code = "WORKFLOW_STILL_RUNNING" if must_be_finished else "WORKFLOW_NOT_RUNNING"
    assert (outcome.code, f"({code})\n" in outcome.err) == (1, True)


@pytest.mark.parametrize("arguments", [*CHANGES, ["purge", "--older-than", "1h", "--yes"]])
def test_an_unavailable_sidecar_is_reported(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """The error shows that the command was not at fault."""
    workflows.is_away = True

    outcome = run("workflows", *arguments)

    assert outcome.code == 1
    assert "the sidecar does not answer (SIDECAR_UNAVAILABLE)" in outcome.err


@pytest.mark.parametrize("instance_id", ["", ".", "..", "a/b", "a\nb", "start"])
def test_an_invalid_id_is_rejected_without_a_request(
    run: Run, workflows: ManagedWorkflows, instance_id: str
) -> None:
    """An ID never leads to another path, such as the start of the demonstration workflow."""
    outcome = run("workflows", "pause", instance_id)

    assert (outcome.code, workflows.requests) == (1, [])
    assert "is not a valid workflow ID" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["start"],
        ["raise", "a"],
        ["rerun", "a"],
        ["rerun", "a", "--from", "-1"],
        ["rerun", "a", "--from", "first"],
        ["purge"],
        ["purge", "a", "--older-than", "1h"],
        ["terminate", "--yes"],
    ],
)
def test_wrong_usage_has_its_own_exit_code(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """Exit code 2 means that the command was not understood; no request is sent."""
    assert (run("workflows", *arguments).code, workflows.requests) == (2, [])
