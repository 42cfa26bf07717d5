"""A sidecar that stands still is noticed, and freed."""

import httpx
import pytest

from orderflow_workflow_runtime.upstream.stalled_sidecar import (
    SHUT_DOWN_AFTER_SECONDS,
    UNWELL_AFTER_SECONDS,
    Standstill,
)


class StuckSidecar:
    """What is looked at and done, and a clock that a test moves."""

    def __init__(self) -> None:
        self.is_still = True
        self.is_away = False
        self.refuses = False
        self.now = 100.0
        self.reported: list[str | None] = []
        self.shut_downs = 0
        self.watched = Standstill(self.look, self.reported.append, self.shut_down, self.clock)

    def clock(self) -> float:
        return self.now

    async def look(self) -> bool:
        """Tell whether it stands still, if it answers."""
        if self.is_away:
            raise httpx.ConnectError("nobody listens")
        return self.is_still

    async def shut_down(self) -> None:
        """Count how often it was ended."""
        self.shut_downs += 1
        if self.refuses:
            raise httpx.ConnectError("nobody listens")

    async def look_after(self, seconds: float) -> None:
        """Let time pass and look."""
        self.now += seconds
        await self.watched.look()


@pytest.fixture
async def sidecar() -> StuckSidecar:
    stuck = StuckSidecar()
    await stuck.watched.look()
    return stuck


async def test_a_moment_means_nothing(sidecar: StuckSidecar) -> None:
    """A worker that has just connected is let in a moment later."""
    await sidecar.look_after(UNWELL_AFTER_SECONDS - 0.1)
    sidecar.is_still = False
    await sidecar.look_after(0.1)
    sidecar.is_still = True
    await sidecar.look_after(0.1)
    await sidecar.look_after(UNWELL_AFTER_SECONDS - 0.1)
    assert sidecar.reported == []


async def test_the_health_check_fails_until_it_goes_on(sidecar: StuckSidecar) -> None:
    """It is told once that the application is unwell, and once that it is well again."""
    for _ in range(4):
        await sidecar.look_after(UNWELL_AFTER_SECONDS)
    sidecar.is_still = False
    for _ in range(2):
        await sidecar.look_after(1)

    reason, well = sidecar.reported
    assert "hosts no workflows" in str(reason)
    assert well is None
    assert sidecar.shut_downs == 0


async def test_it_is_shut_down_if_nothing_else_helps(sidecar: StuckSidecar) -> None:
    """Turns that another sidecar began are ended by that alone; it is given time after each."""
    await sidecar.look_after(SHUT_DOWN_AFTER_SECONDS)
    await sidecar.look_after(SHUT_DOWN_AFTER_SECONDS - 0.1)
    assert sidecar.shut_downs == 1
    sidecar.refuses = True
    await sidecar.look_after(0.1)
    assert sidecar.shut_downs == 2


async def test_a_sidecar_that_is_away_does_not_stand_still(sidecar: StuckSidecar) -> None:
    """It comes back without what held it up, so the application is well."""
    await sidecar.look_after(UNWELL_AFTER_SECONDS)
    sidecar.is_away = True
    await sidecar.look_after(SHUT_DOWN_AFTER_SECONDS)
    assert sidecar.reported[1:] == [None]
    assert sidecar.shut_downs == 0
