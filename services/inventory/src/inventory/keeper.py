"""The keeper of the ledger: gathers what comes in at once into one transaction.

Many orders want the same item. Taken one by one they would conflict on its key again and again;
gathered, they are decided in the order of their arrival on one reading and written together.
Other replicas may still come in between: then everything is read and decided anew, which is safe,
for every command may be applied twice.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import structlog

from inventory.domain import Ledger
from inventory.store import (
    Scope,
    Snapshot,
    Store,
    StoreUnavailable,
    VersionConflict,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Reply = TypeVar("Reply")

MOST_KEYS_AT_ONCE: Final = 200
ATTEMPTS: Final = 12
FIRST_PAUSE_SECONDS: Final = 0.01
LONGEST_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Command(Generic[Reply]):
    """What shall be done to which part of the ledger; doing it twice is as good as once."""

    scope: Scope
    apply: Callable[[Ledger], Reply]


@dataclass
class _Waiting:
    command: Command[Any]
    future: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Keeper:
    """Performs commands on the ledger in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def perform(self, command: Command[Reply]) -> Reply:
        """Apply the command; return once it is written.

        Raises what the command raises, or `StoreUnavailable` when the store stayed away: then
        the command may have been written or not, and may be tried again.
        """
        waiting = _Waiting(command)
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        reply: Reply = await waiting.future
        return reply

    async def _work(self) -> None:
        while self._waiting:
            batch = self._gather()
            try:
                await self._perform(batch)
            except Exception as error:  # noqa: BLE001 # whatever it is, those who wait are told
                for waiting in batch:
                    if not waiting.future.done():
                        waiting.future.set_exception(error)

    def _gather(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        scope = batch[0].command.scope
        while self._waiting:
            scope = scope | self._waiting[0].command.scope
            if len(scope.keys()) > MOST_KEYS_AT_ONCE:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _perform(self, batch: Sequence[_Waiting]) -> None:
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcomes = await self._attempt(batch)
            except (VersionConflict, StoreUnavailable) as error:
                log.info("ledger_read_again", attempt=attempt, commands=len(batch), why=str(error))
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 # no secret
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                _answer(batch, outcomes)
                return
        raise StoreUnavailable("the stock ledger could not be written")

    async def _attempt(self, batch: Sequence[_Waiting]) -> list[Any]:
        scope = Scope()
        for waiting in batch:
            scope = scope | waiting.command.scope
        snapshot = await Snapshot.read(self._store, scope)
        outcomes = [_outcome(waiting.command, snapshot.ledger) for waiting in batch]
        changes = snapshot.changes()
        # What is written as new is checked by the write. What was decided on an absence alone, such
        # as that nothing is reserved, would else stand on a reading that broke off.
        await self._store.confirm_absent(snapshot.absent() - changes.keys())
        if changes:
            await self._store.write(changes)
        return outcomes


def _outcome(command: Command[Any], ledger: Ledger) -> object:
    items, reservations = dict(ledger.items), dict(ledger.reservations)
    try:
        return command.apply(ledger)
    except Exception as error:  # noqa: BLE001 # it is one command's own, not the batch's
        # The batch is written all the same: nothing of what failed half-way may be in it.
        ledger.items, ledger.reservations = items, reservations
        return error


def _answer(batch: Sequence[_Waiting], outcomes: Sequence[Any]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
