"""Ports of orders whose answers are lost, and background work that a crash forgets."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from fakes.gated_bank import Fate, GatedBank
from fakes.orders_ports import RoomInventory
from orderflow_contracts.inventory import Committed, ReservationRejected, Reserved, ReserveRequest
from orderflow_hosting.background import BackgroundWork


class Forgetful(RoomInventory):
    """Inventory whose next answer may be lost, after the effect."""

    loses_answer = False

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        reply = await super().reserve(request)
        self._answer()
        return reply

    async def commit(self, order_id: str) -> Committed:
        reply = await super().commit(order_id)
        self._answer()
        return reply

    async def release(self, order_id: str) -> None:
        await super().release(order_id)
        self._answer()

    def _answer(self) -> None:
        if self.loses_answer:
            self.loses_answer = False
            raise ConnectionError("the answer was lost")


class FatefulBank(GatedBank):
    """A bank whose next answers are set in advance."""

    def __init__(self) -> None:
        super().__init__()
        self.fates: deque[Fate] = deque()

    async def _fate(self, order_id: str) -> Fate:  # noqa: ARG002 # the bank has it
        return self.fates.popleft() if self.fates else "answered"


class Deferred(BackgroundWork):
    """Background work that is done when the test says so, or never, if the process dies first."""

    def __init__(self) -> None:
        super().__init__()
        self.works: list[Callable[[], Awaitable[object]]] = []

    def retry(self, work: Callable[[], Awaitable[object]], event: str, **_: Any) -> None:  # noqa: ARG002 # the base has it
        self.works.append(work)

    async def do_all(self) -> None:
        while self.works:
            await self.works.pop(0)()
