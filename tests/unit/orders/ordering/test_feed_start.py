"""Where the feed starts for any position that a client may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.ordering.feed_start import ResetReason, Start, StoredPositions, choose_start

STORED = StoredPositions(before_oldest=10, newest=20)

positions = st.integers(0, 10**18 - 1)
stored = st.lists(positions, min_size=2, max_size=2).map(
    lambda pair: StoredPositions(min(pair), max(pair))
)
odd = st.text() | st.sampled_from(
    ["", " 1", "-1", "+1", "1.0", "1_0", "1e3", "0x1", "²", "١٢", "1,1"]
)
cursors = (
    odd | st.one_of(st.integers(), positions).map(str) | st.integers(19, 6000).map("9".__mul__)
)


@given(cursors=st.lists(cursors, max_size=3), stored=stored)
def test_every_start_is_within_what_is_stored(cursors: list[str], stored: StoredPositions) -> None:
    """Whatever is sent, the feed starts within what is stored; a reset names any other start."""
    start = choose_start(cursors, stored)

    assert stored.before_oldest <= start.position <= stored.newest
    reset = start.reset()
    if cursors and cursors[0] != str(start.position).rjust(len(cursors[0]), "0"):
        assert reset is not None
        assert reset.position == start.position
    else:
        assert reset is None


@given(stored=stored, data=st.data())
def test_a_stored_position_is_used_as_it_is(stored: StoredPositions, data: st.DataObject) -> None:
    """A client that reconnects in time gets neither a reset nor another position."""
    position = data.draw(st.integers(*stored))

    assert choose_start([str(position)], stored) == Start(position)


@given(text=odd.filter(lambda text: not (text.isascii() and text.isdigit())), stored=stored)
def test_any_other_text_is_unreadable(text: str, stored: StoredPositions) -> None:
    """The client continues with new changes."""
    expected = Start(stored.newest, ResetReason.UNREADABLE)
    assert choose_start([text], stored) == expected


@pytest.mark.parametrize(
    ("sent", "start"),
    [
        ([], Start(20)),
        (["9"], Start(10, ResetReason.REMOVED)),
        (["10"], Start(10)),
        (["20"], Start(20)),
        (["21"], Start(20, ResetReason.BEYOND_END)),
        (["21", "12"], Start(12, ResetReason.BEYOND_END)),
        (["x", "21"], Start(20, ResetReason.UNREADABLE)),
        (["x", "9"], Start(10, ResetReason.UNREADABLE)),
        (["9", "12"], Start(10, ResetReason.REMOVED)),
    ],
)
def test_the_first_usable_position_is_used(sent: list[str], start: Start) -> None:
    """The reason is about the first one; removed changes are not skipped further."""
    assert choose_start(sent, STORED) == start


def test_nothing_is_stored() -> None:
    """Only the beginning is a position then, because all changes may have been removed."""
    empty = StoredPositions(0, 0)

    assert choose_start(["0"], empty) == Start(0)
    assert choose_start(["5"], empty) == Start(0, ResetReason.BEYOND_END)
