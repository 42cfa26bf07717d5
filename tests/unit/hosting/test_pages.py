import pytest

from orderflow_hosting.pages import decode_cursor, encode_cursor
from orderflow_hosting.problems import Problem


@pytest.mark.parametrize("position", ["1", "2026-03-01T12:00:00+00:00 o-1", "ä/?+", "x" * 100])
def test_a_cursor_round_trips(position: str) -> None:
    """A cursor is safe in a URL and stands for exactly one position."""
    cursor = encode_cursor(position)

    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor) == position


@pytest.mark.parametrize("cursor", ["!", "a", "=", "ä", "//8=", "gA", "a b"])
def test_an_invalid_cursor_is_a_problem(cursor: str) -> None:
    """The problem names the field `after`."""
    with pytest.raises(Problem) as problem:
        decode_cursor(cursor)

    assert (problem.value.status, problem.value.code) == (422, "INVALID_INPUT")
    assert problem.value.errors[0].field == "after"
