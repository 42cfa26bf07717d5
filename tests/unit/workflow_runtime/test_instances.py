"""Parsing of durations, and the description of instances."""

from datetime import timedelta

import pytest

from orderflow_workflow_runtime.durations import parse_duration
from orderflow_workflow_runtime.instances import Failure, RuntimeStatus


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("720h", timedelta(hours=720)),
        ("30m", timedelta(minutes=30)),
        ("10s", timedelta(seconds=10)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("0s", timedelta(0)),
        ("1.5h", timedelta(minutes=90)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_a_duration_is_parsed(text: str, duration: timedelta) -> None:
    """It is a sequence of numbers with units."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "7", "h", "7w", "-1h", "+1h", "1 h", " 1h", "1h ", "1h30", "1H", "1e3s", ".5h", "1.h",
     "inf", "nan", "\u0667h", "1h\n", "9" * 39 + "d", "1" * 41, "36501d"],
)  # fmt: skip
def test_an_invalid_duration_is_refused(text: str) -> None:
    """Nothing is guessed, because a purge cannot be undone."""
    with pytest.raises(ValueError, match=r"is not a duration|is longer than"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("error_type", "message", "code"),
    [
        ("TaskFailedError", "interactive_hello_activity: it broke", "ACTIVITY_EXECUTION_FAILED"),
        ("NonDeterminismError", "the workflow was changed", "NON_DETERMINISTIC"),
        ("RuntimeError", "A non-deterministic replay was found", "NON_DETERMINISTIC"),
        ("TaskFailedError", "Non-determinism: another task", "NON_DETERMINISTIC"),
        ("ValidationError", "1 validation error for Count", "WORKFLOW_FAILED"),
        ("", "", "WORKFLOW_FAILED"),
    ],
)
def test_a_failure_has_a_stable_code(error_type: str, message: str, code: str) -> None:
    """Programs use the code, people the engine's message, which is kept."""
    failure = Failure.of(error_type, message)

    assert (failure.code, failure.type, failure.message) == (code, error_type, message)
    assert failure.activity is None


def test_three_statuses_are_final() -> None:
    """All others may change."""
    assert {status for status in RuntimeStatus if status.is_finished} == {
        RuntimeStatus.COMPLETED,
        RuntimeStatus.FAILED,
        RuntimeStatus.TERMINATED,
    }
