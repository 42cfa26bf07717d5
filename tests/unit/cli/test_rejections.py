"""How the command line shows rejections, and orders that were invalid at first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from orderflow_cli import show
from orderflow_cli.feed import StatusFeed
from orderflow_cli.order_tracker import OrderTracker, changes_of
from orderflow_cli.publishing import outcomes
from orderflow_contracts.orders import HistoryEntry, Order, OrderLine, OrderStatus

START = datetime(2026, 3, 1, tzinfo=UTC)


class SilentFeed:
    """A feed in which nothing happens."""

    def next(self, _seconds: float) -> None:
        """Return nothing at once."""


def order(*history: tuple[OrderStatus, str | None, str | None]) -> Order:
    """Make an order with these statuses, reasons and details."""
    entries = tuple(
        HistoryEntry(
            sequence=place,
            status=status,
            reason=reason,
            detail=detail,
            at=START + timedelta(seconds=place),
        )
        for place, (status, reason, detail) in enumerate(history, 1)
    )
    return Order(
        order_id="o1",
        customer_id="alice",
        lines=(OrderLine(item="cars", quantity=1),),
        **entries[-1].model_dump(include={"status", "reason", "detail", "sequence"}),
        total_cents=15_000_00,
        created_at=START,
        updated_at=entries[-1].at,
        history=entries,
    )


INVALID = (OrderStatus.REJECTED, "invalid", "quantity is 0.")
RECEIVED = (OrderStatus.RECEIVED, None, None)
SOLD_OUT = (OrderStatus.REJECTED, "out_of_stock", "None is available.")


def followed(*reads: Order) -> Sequence[tuple[OrderStatus, str | None, int | None]]:
    """Follow an order that is read again and again; return its changes."""
    answers = iter(reads)
    feed = cast("StatusFeed", SilentFeed())
    tracker = OrderTracker(lambda _: next(answers), feed, ["o1"])
    changes = [change for _ in reads for change in tracker.catch_up()]
    return [(change.status, change.detail, change.total_cents) for change in changes]


def test_a_continued_order_is_followed_beyond_its_rejection() -> None:
    """The rejection of an invalid submission is not the end if a valid one came after it."""
    assert followed(order(INVALID, RECEIVED), order(INVALID, RECEIVED, SOLD_OUT)) == [
        (OrderStatus.REJECTED, "quantity is 0.", None),
        (OrderStatus.RECEIVED, None, None),
        (OrderStatus.REJECTED, "None is available.", 15_000_00),
    ]


def test_an_order_known_as_invalid_alone_has_ended() -> None:
    """There is nothing to wait for."""
    assert len(followed(order(INVALID), order(INVALID, RECEIVED))) == 1


def test_a_continued_order_has_one_outcome() -> None:
    """What was published ended once, with the last status."""
    counts: list[int] = []

    (ended,) = outcomes(changes_of(order(INVALID, RECEIVED, SOLD_OUT)), counts.append)

    assert (ended.sequence, ended.reason) == (3, "out_of_stock")
    assert counts == [1, 1]


def test_an_order_shows_why_it_was_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence for people, below the reason."""
    show.show_order(order(RECEIVED, SOLD_OUT))

    assert "detail" in (shown := capsys.readouterr().out)
    assert "None is available." in shown
