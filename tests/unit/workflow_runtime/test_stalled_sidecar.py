"""A sidecar that has stalled is noticed and freed."""

import httpx
import pytest

from orderflow_workflow_runtime.upstream.stalled_sidecar import (
    SHUT_DOWN_AFTER_SECONDS,
    UNHEALTHY_AFTER_SECONDS,
    StalledSidecar,
)


class StuckSidecar:
    """A stalled sidecar, the actions taken on it, and a clock that a test sets."""

    def __init__(self) -> None:
        self.is_stalled = True
        self.is_away = False
        self.refuses = False
        self.now = 100.0
        self.reported: list[str | None] = []
        self.shut_downs = 0
        self.watched = StalledSidecar(self.check, self.reported.append, self.shut_down, self.clock)

    def clock(self) -> float:
        return self.now

    async def check(self) -> bool:
        """Return whether it has stalled, if it answers."""
        if self.is_away:
            raise httpx.ConnectError("nobody listens")
        return self.is_stalled

    async def shut_down(self) -> None:
        """Count how often it was ended."""
        self.shut_downs += 1
        if self.refuses:
            raise httpx.ConnectError("nobody listens")

    async def check_after(self, seconds: float) -> None:
        """Advance the clock, then check."""
        self.now += seconds
        await self.watched.check()


@pytest.fixture
async def sidecar() -> StuckSidecar:
    stuck = StuckSidecar()
    await stuck.watched.check()
    return stuck


async def test_a_short_stall_is_normal(sidecar: StuckSidecar) -> None:
    """A worker that has just connected is let in a moment later."""
    await sidecar.check_after(UNHEALTHY_AFTER_SECONDS - 0.1)
    sidecar.is_stalled = False
    await sidecar.check_after(0.1)
    sidecar.is_stalled = True
    await sidecar.check_after(0.1)
    await sidecar.check_after(UNHEALTHY_AFTER_SECONDS - 0.1)
    assert sidecar.reported == []


async def test_the_health_check_fails_until_it_has_recovered(sidecar: StuckSidecar) -> None:
    """The application is reported unwell once, and well again once."""
    for _ in range(4):
        await sidecar.check_after(UNHEALTHY_AFTER_SECONDS)
    sidecar.is_stalled = False
    for _ in range(2):
        await sidecar.check_after(1)

    reason, well = sidecar.reported
    assert "runs no workflows" in str(reason)
    assert well is None
    assert sidecar.shut_downs == 0


async def test_the_sidecar_is_shut_down_if_nothing_else_helps(sidecar: StuckSidecar) -> None:
    """Only that ends turns which another sidecar began; after each shutdown it gets time."""
    await sidecar.check_after(SHUT_DOWN_AFTER_SECONDS)
    await sidecar.check_after(SHUT_DOWN_AFTER_SECONDS - 0.1)
    assert sidecar.shut_downs == 1
    sidecar.refuses = True
    await sidecar.check_after(0.1)
    assert sidecar.shut_downs == 2


async def test_a_sidecar_that_does_not_answer_has_not_stalled(sidecar: StuckSidecar) -> None:
    """It restarts without what blocked it, so the application is well."""
    await sidecar.check_after(UNHEALTHY_AFTER_SECONDS)
    sidecar.is_away = True
    await sidecar.check_after(SHUT_DOWN_AFTER_SECONDS)
    assert sidecar.reported[1:] == [None]
    assert sidecar.shut_downs == 0
