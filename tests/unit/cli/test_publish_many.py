"""Publishing very many orders: the cost grows linearly with the file."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import SupportsIndex, overload

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.command import Run
from fakes.shop import Shop
from orderflow_cli import submissions as submission_reader
from orderflow_cli.client import Orderflow
from orderflow_cli.publishing import publish_all
from orderflow_cli.settings import Settings
from orderflow_cli.submissions import LineNumbers, Submission, read_orders


def order(number: int) -> str:
    return json.dumps({"order_id": f"o-{number}", "item": "cars", "quantity": 1})


class CountedText(str):
    """A string that counts how many of its characters were searched."""

    __slots__ = ("searched",)
    searched: int

    def count(
        self, sub: str, start: SupportsIndex | None = 0, end: SupportsIndex | None = None, /
    ) -> int:
        self.searched += len(range(len(self))[start:end])
        return super().count(sub, start, end)


@pytest.mark.parametrize("form", ["{}", "[{}]"])
def test_each_character_is_searched_for_its_line_once(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The number of steps is linear in the length of the text, not quadratic."""
    counted = []

    class Counting(LineNumbers):
        def __init__(self, text: str) -> None:
            counted_text = CountedText(text)
            counted_text.searched = 0
            counted.append(counted_text)
            super().__init__(counted_text)

    monkeypatch.setattr(submission_reader, "LineNumbers", Counting)
    separator = ",\n" if form == "[{}]" else "\n"
    text = form.replace("{}", separator.join(map(order, range(3_000))))

    assert len(read_orders(text, "orders")) == 3_000

    [counted_text] = counted
    assert 0 < counted_text.searched <= len(counted_text)


@given(st.lists(st.text("ab\n", max_size=6), max_size=20))
def test_lines_are_numbered_as_if_counted_from_the_start(parts: list[str]) -> None:
    """At increasing positions, the line number equals a count from the start."""
    text, position = "".join(parts), 0
    lines = LineNumbers(text)

    for part in parts:
        position += len(part)
        assert lines.at(position) == text.count("\n", 0, position) + 1


class CountedSubmissions(Sequence[Submission]):
    """Submissions that are created on demand, and counted."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.taken = 0

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, at: int) -> Submission: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Submission]: ...
    def __getitem__(self, at: int | slice) -> Submission | Sequence[Submission]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Submission]:
        for number in range(self._length):
            self.taken += 1
            yield Submission(f"o-{number}", order(number))


def test_only_a_few_orders_wait_to_be_published(settings: Settings, shop: Shop) -> None:
    """Only a few publications are in progress at any time, and each order is published once."""
    submissions, most = CountedSubmissions(200), 0
    done: list[str] = []

    def published(entry: Submission) -> None:
        nonlocal most
        most = max(most, submissions.taken - len(done))
        done.append(entry.event_id)

    with Orderflow(settings) as flow:
        publish_all(flow, submissions, published, in_flight=4)

    assert done == [f"o-{number}" for number in range(200)]
    assert most <= 9
    assert len(shop.published) == 200


@pytest.mark.usefixtures("settings")
def test_the_last_line_is_checked_before_the_first_is_published(run: Run, shop: Shop) -> None:
    """No order is published if only the last of many is invalid."""
    bad = json.dumps({"order_id": "bad", "item": "cars", "quantity": 0})

    outcome = run("publish", "-", typed="\n".join([*map(order, range(500)), bad]))

    assert "line 501, quantity: " in outcome.err
    assert (outcome.code, shop.published) == (1, [])


@pytest.mark.usefixtures("settings")
def test_many_faults_are_counted_and_the_first_reported(run: Run) -> None:
    """Ten of thousands of faults are listed, with the number of the rest."""
    outcome = run("publish", "-", typed="7\n" * 3_000)

    assert outcome.err.count("\n  line ") == 10
    assert re.search(r"and 2990 more\s*$", outcome.err)


@pytest.mark.usefixtures("settings")
def test_a_duplicate_id_on_one_line_is_a_fault(run: Run, shop: Shop) -> None:
    """A duplicate ID is found even on the same line."""
    outcome = run("publish", "-", typed=f"[{order(1)}, {order(1)}]")

    assert "line 1, order_id: o-1 is already used on line 1" in outcome.err
    assert (outcome.code, shop.published) == (1, [])
