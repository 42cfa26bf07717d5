"""Applies concurrent commands to the ledger in shared transactions.

Many orders want the same item. One by one they would conflict on its key again and again, so all
waiting commands are applied in order of arrival to one snapshot, and written together. If
another replica writes in between, everything is read and applied again, which is safe because
every command is idempotent.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import structlog

from inventory.domain import Ledger
from inventory.ports import Store, StoreUnavailable, VersionConflict
from inventory.store import Scope, Snapshot
from orderflow_hosting.supervision import Supervised

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Reply = TypeVar("Reply")

MAX_KEYS: Final = 200
ATTEMPTS: Final = 12
FIRST_PAUSE_SECONDS: Final = 0.01
LONGEST_PAUSE_SECONDS: Final = 0.5
COMMAND_SECONDS: Final = 30.0
"""How long a command may take, with all its attempts and those that it waits for."""


@dataclass(frozen=True)
class Command(Generic[Reply]):
    """An idempotent change to a part of the ledger."""

    scope: Scope
    apply: Callable[[Ledger], Reply]


@dataclass
class _Pending:
    command: Command[Any]
    future: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class CommandBatcher:
    """Executes commands on the ledger in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: deque[_Pending] = deque()
        self._worker: Supervised | None = None

    async def execute(self, command: Command[Reply]) -> Reply:
        """Apply a command; return when it is written.

        Raises the command's own error, or `StoreUnavailable` if all attempts failed or time is
        up: then the command may or may not have been written, and can be retried.
        """
        pending = _Pending(command)
        self._queue.append(pending)
        if self._worker is None or self._worker.is_done:
            self._worker = Supervised(self._work)
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                reply: Reply = await pending.future
        except TimeoutError:
            raise StoreUnavailable(f"not written within {COMMAND_SECONDS:g} s") from None
        return reply

    async def _work(self) -> None:
        while self._queue:
            batch = self._next_batch()
            try:
                await self._execute(batch)
            except Exception as error:  # noqa: BLE001 # passed on to all callers
                for pending in batch:
                    if not pending.future.done():
                        pending.future.set_exception(error)

    def _next_batch(self) -> list[_Pending]:
        batch = [self._queue.popleft()]
        scope = batch[0].command.scope
        while self._queue:
            scope = scope | self._queue[0].command.scope
            if len(scope.keys()) > MAX_KEYS:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _execute(self, batch: Sequence[_Pending]) -> None:
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                outcomes = await self._try_once(batch)
            except (VersionConflict, StoreUnavailable) as error:
                log.info(
                    "ledger_transaction_failed",
                    attempt=attempt,
                    commands=len(batch),
                    error=str(error),
                )
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 # no secret
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                _resolve(batch, outcomes)
                return
        raise StoreUnavailable("the stock ledger could not be written")

    async def _try_once(self, batch: Sequence[_Pending]) -> list[Any]:
        scope = Scope()
        for pending in batch:
            scope = scope | pending.command.scope
        snapshot = await Snapshot.read(self._store, scope)
        outcomes = [_outcome(pending.command, snapshot.ledger) for pending in batch]
        changes = snapshot.changes()
        # A write detects keys that only looked absent. A decision that rests on an absence and
        # writes nothing, such as that nothing is reserved, needs this check.
        await self._store.confirm_absent(snapshot.absent() - changes.keys())
        if changes:
            await self._store.write(changes)
        return outcomes


def _outcome(command: Command[Any], ledger: Ledger) -> object:
    items, reservations = dict(ledger.items), dict(ledger.reservations)
    try:
        return command.apply(ledger)
    except Exception as error:  # noqa: BLE001 # belongs to this command, not to the batch
        # The rest of the batch is still written, so partial changes of this command are undone.
        ledger.items, ledger.reservations = items, reservations
        return error


def _resolve(batch: Sequence[_Pending], outcomes: Sequence[Any]) -> None:
    for pending, outcome in zip(batch, outcomes, strict=True):
        if pending.future.done():
            continue
        if isinstance(outcome, Exception):
            pending.future.set_exception(outcome)
        else:
            pending.future.set_result(outcome)
