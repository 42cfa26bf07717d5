"""Taking up what was left: all of it first, and then what others leave, whatever fails."""

import asyncio
from typing import cast

from fakes.pauses import short_pause
from fakes.waiting import until
from orders.attention.service import Attention
from orders.batches.service import Batches
from orders.ordering.service import Intake
from orders.resuming import keep_resuming


class Told:
    """Stands for each of the use cases; notes what it is asked, and fails the first time."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def resume(self) -> None:
        """Fail once, as when the database has gone in that moment."""
        self.calls.append("all")
        if len(self.calls) == 1:
            raise RuntimeError("the database does not answer")

    async def resume_left(self) -> None:
        """Note it."""
        self.calls.append("left")


async def test_it_goes_on_for_as_long_as_the_process_lives() -> None:
    """A failure costs nothing, and what is left later is looked for again and again."""
    intake, batches, attention = Told(), Told(), Told()

    resuming_all = keep_resuming(
        cast("Intake", intake), cast("Batches", batches), cast("Attention", attention), short_pause
    )
    task = asyncio.create_task(resuming_all)
    await until(lambda: intake.calls.count("left") >= 3 and batches.calls.count("all") >= 4)
    await until(lambda: attention.calls.count("all") >= 4)
    task.cancel()

    assert intake.calls[:3] == ["all", "all", "left"]
