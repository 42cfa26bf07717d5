"""Commands that would change workflows, and what they say when they cannot."""

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
def test_what_is_no_json_is_wrong_usage(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """Nothing is asked of orders then."""
    outcome = run("workflows", *arguments)

    assert (outcome.code, workflows.requests) == (2, [])
    assert "is no JSON" in outcome.err


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"Ada", "is no JSON"), (b"\xff", "not UTF-8")]
)
def test_a_file_that_holds_no_json_is_told(
    run: Run, workflows: ManagedWorkflows, tmp_path: Path, content: bytes | None, said: str
) -> None:
    """The sentence names the file."""
    file = tmp_path / "input.json"
    if content is not None:
        file.write_bytes(content)

    outcome = run("workflows", "start", HELLO, "--input", f"@{file}")

    assert (outcome.code, workflows.requests) == (1, [])
    assert outcome.err.startswith(f"orderflow: {file} ")
    assert said in outcome.err


@pytest.mark.parametrize(
    ("name", "code"), [(ORDER, "WORKFLOW_PROTECTED"), ("unheard_of", "WORKFLOW_NOT_FOUND")]
)
def test_what_cannot_be_started_is_told(run: Run, name: str, code: str) -> None:
    """An order's workflow is protected, and another name unknown."""
    outcome = run("workflows", "start", name)

    assert (outcome.code, outcome.err[-len(code) - 3 :]) == (1, f"({code})\n")


def test_an_event_that_cannot_be_rerun_is_told(run: Run, workflows: ManagedWorkflows) -> None:
    """Orders says which field is wrong."""
    workflows.put("a", "COMPLETED")

    outcome = run("workflows", "rerun", "a", "--from", "9")

    assert (outcome.code, outcome.err) == (
        1,
        "orderflow: orders: from_event: cannot be rerun from (INVALID_INPUT)\n",
    )


def test_an_age_that_is_none_is_told(run: Run) -> None:
    """Orders says what an age looks like."""
    outcome = run("workflows", "purge", "--older-than", "long", "--yes")

    assert (outcome.code, outcome.err) == (
        1,
        "orderflow: orders: older_than: is not a duration such as 720h (INVALID_INPUT)\n",
    )


@pytest.mark.parametrize("arguments", CHANGES)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_is_asked_of_nothing_is_told(
    run: Run, arguments: list[str], options: list[str]
) -> None:
    """One sentence with the code, nothing on standard output, and exit code 1."""
    outcome = run("workflows", *arguments, *options)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "orderflow: orders: there is no workflow instance a (WORKFLOW_NOT_FOUND)\n"
    )


@pytest.mark.parametrize("arguments", CHANGES)
def test_what_does_not_fit_the_state_is_told(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """What runs cannot be forgotten or run again, and what has finished cannot be steered."""
    needs_an_end = arguments[0] in ("purge", "rerun")
    workflows.put("a", "RUNNING" if needs_an_end else "COMPLETED")

    outcome = run("workflows", *arguments)

    code = "WORKFLOW_STILL_RUNNING" if needs_an_end else "WORKFLOW_NOT_RUNNING"
    assert (outcome.code, f"({code})\n" in outcome.err) == (1, True)


@pytest.mark.parametrize("arguments", [*CHANGES, ["purge", "--older-than", "1h", "--yes"]])
def test_a_sidecar_that_is_away_is_told(
    run: Run, workflows: ManagedWorkflows, arguments: list[str]
) -> None:
    """The sentence says that it is not the command that was wrong."""
    workflows.is_away = True

    outcome = run("workflows", *arguments)

    assert outcome.code == 1
    assert "the sidecar does not answer (SIDECAR_UNAVAILABLE)" in outcome.err


@pytest.mark.parametrize("instance_id", ["", ".", "..", "a/b", "a\nb", "start"])
def test_what_cannot_be_an_id_is_not_asked_for(
    run: Run, workflows: ManagedWorkflows, instance_id: str
) -> None:
    """An id never leads to another path, such as that of the demonstration's start."""
    outcome = run("workflows", "pause", instance_id)

    assert (outcome.code, workflows.requests) == (1, [])
    assert "cannot be the id of a workflow" in outcome.err


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
    """2 says that the command was not understood; nothing was asked."""
    assert (run("workflows", *arguments).code, workflows.requests) == (2, [])
