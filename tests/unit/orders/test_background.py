"""Work in the background: until it is done, and once at a time for each name."""

import asyncio

import pytest

from fakes.waiting import until
from orders import background
from orders.background import Background


async def test_work_is_tried_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again after a pause."""
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0.001)
    tries = 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("not yet")

    all_work = Background()
    all_work.do(work)

    await until(lambda: not all_work)
    assert tries == 3


async def test_work_of_one_name_is_under_way_once() -> None:
    """The same work again is left to what is under way, and may be done anew after that."""
    release = asyncio.Event()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await release.wait()

    all_work = Background()
    for _ in range(3):
        all_work.do(work, name="one")
    all_work.do(work, name="other")
    await until(lambda: begun == 2)
    assert len(all_work) == 2

    release.set()
    await until(lambda: not all_work)
    all_work.do(work, name="one")
    await until(lambda: begun == 3)
