"""Resuming unfinished work at the start, and the cancellations of other replicas later."""

import asyncio
from typing import cast

from fakes.pauses import short_pause
from fakes.waiting import until
from orders.attention.service import Attention
from orders.batches.service import Batches
from orders.ordering.service import Intake
from orders.resuming import keep_resuming


class RecordedUseCase:
    """A use case that records its calls, and fails the first time."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def resume(self) -> None:
        """Fail once, as if the database had failed."""
        self.calls.append("all")
        if len(self.calls) == 1:
            raise RuntimeError("the database does not answer")

    async def resume_cancels(self) -> None:
        """Record the call."""
        self.calls.append("cancels")


async def test_resuming_repeats_as_long_as_the_process_lives() -> None:
    """After a failure it goes on; it resumes all once, and looks at cancellations all the time."""
    intake, batches, attention = RecordedUseCase(), RecordedUseCase(), RecordedUseCase()

    resuming_all = keep_resuming(
        cast("Intake", intake), cast("Batches", batches), cast("Attention", attention), short_pause
    )
    task = asyncio.create_task(resuming_all)
    await until(lambda: intake.calls.count("cancels") >= 3)
    task.cancel()

    assert intake.calls[:3] == ["all", "all", "cancels"]
    assert batches.calls == attention.calls == ["all", "all"]
