"""The start: what is missing is logged, and waited for only so long."""

import asyncio

import pytest
from structlog.testing import capture_logs

from fakes.waiting import until
from orderflow_hosting.health import refuse_without
from orderflow_hosting.start_up import NotStarted, Patience


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


class Need:
    """Something that becomes available when the test says so."""

    def __init__(self, *, is_there: bool = False) -> None:
        self.is_there = is_there
        self.checks = 0

    async def check(self) -> None:
        self.checks += 1
        if not self.is_there:
            raise ConnectionError("connection refused")


def test_progress_is_logged_every_few_seconds() -> None:
    """The log says what is missing, why, and how long the start still waits."""
    clock = Clock()
    patience = Patience(60, clock)
    with capture_logs() as logs:
        for _ in range(23):
            clock.at += 0.5
            patience.missing("the sidecar", "connection refused")

    assert [(log["seconds"], log["seconds_left"]) for log in logs] == [(5, 55), (10, 50)]
    assert {(log["event"], log["waits_for"], log["why"]) for log in logs} == {
        ("start_waits", "the sidecar", "connection refused")
    }


def test_the_start_is_given_up_in_the_end() -> None:
    """The error says what was missing, for how long, and why."""
    clock = Clock()
    patience = Patience(60, clock)
    clock.at += 60

    with pytest.raises(NotStarted, match=r"^the sidecar is not available after 60 s: refused$"):
        patience.missing("the sidecar", "refused")


async def test_what_is_available_is_waited_for_once() -> None:
    """A need that is lost later is a matter of readiness, and no reason to give up."""
    first, second = Need(is_there=True), Need()
    waiting = asyncio.create_task(
        refuse_without({"the database": first.check, "the sidecar": second.check}, 30)
    )
    await until(lambda: second.checks > 0)
    first.is_there = False
    second.is_there = True
    with capture_logs() as logs:
        await until(lambda: [log["event"] for log in logs] == ["start_completed"])

    assert first.checks == 1
    assert not waiting.done()
    waiting.cancel()


async def test_what_never_comes_is_named() -> None:
    """The error has the reason that its check gave last."""
    with pytest.raises(NotStarted, match=r"the sidecar .*: connection refused"):
        await refuse_without({"the sidecar": Need().check}, 0)
