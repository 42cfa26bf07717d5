"""Publishes what is in the outbox, until the broker has it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import grpc.aio
import structlog
from sqlalchemy import Connection

from orderflow_hosting.background import BackgroundWork, Backoff
from orderflow_hosting.database import Database
from orderflow_hosting.events import MOST_BYTES
from orderflow_hosting.outbox.calls import calls, waves
from orderflow_hosting.outbox.lease import Alone, Lease, Turn
from orderflow_hosting.outbox.messages import Message
from orderflow_hosting.outbox.table import Waiting, remove_within, waiting_within
from orderflow_hosting.problems import Unavailable
from orderflow_hosting.sidecar import Sidecar

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AT_ONCE: Final = 100
LOOK_AGAIN_SECONDS: Final = 0.5
"""How long another replica's messages may wait; those of this process are published at once."""
PAUSE_SECONDS_EACH: Final = 0.01
LONGEST_PAUSE_SECONDS: Final = 0.1
"""The pause between two looks is longer after many messages: together they cost less."""
GIVE_BACK_SECONDS: Final = 1.0
BACKOFF: Final = Backoff(first=0.2, longest=1.0)


TakeBack = Callable[[Connection, Message, str], None]
"""Records a message that no sidecar accepts, with the reason, as a part of a transaction."""
_Done = tuple[Waiting, str | None]
"""A message that needs nothing more, and why it is taken back if it was not published."""


class NotPublished(Exception):
    """Messages could not be published, for example because the broker is unavailable."""


class Relay:
    """Publishes the messages of a service, those with the same key one after the other.

    Only one replica publishes at a time. A message is removed once the broker has it, and only then
    the next one with its key is published. So the newest may be published twice, but none is lost,
    and none follows a later one.
    """

    def __init__(
        self, database: Database, sidecar: Sidecar, take_back: TakeBack, turn: Turn | None = None
    ) -> None:
        self._database = database
        self._sidecar = sidecar
        self._take_back = take_back
        self._turn = turn or (Lease() if database.is_shared else Alone())
        self._is_ours = True

    def keep_publishing(self, background: BackgroundWork) -> None:
        """Publish for as long as the process runs."""
        pauses = itertools.repeat(0.0)
        background.repeat(self._wait_and_publish, "outbox_delayed", pauses=pauses, backoff=BACKOFF)

    async def publish_waiting(self) -> int:
        """Publish everything that waits, and count it; raise `NotPublished` if some could not be.

        A message that cannot be published holds up only those with its key. If the first `AT_ONCE`
        all fail, the broker is unavailable, and the rest is not tried.
        """
        failed: dict[str, Exception] = {}
        after, published = 0, 0
        while page := await self._next(after):
            for wave in waves(page):
                done = await self._publish(
                    [each for each in wave if each.key not in failed], failed
                )
                if done:
                    await self._database.write(partial(self._remove, done), is_change=False)
                    published += len(done)
            after = page[-1].id
            if len(page) < AT_ONCE or (len(failed) >= AT_ONCE and not published):
                break
        if failed:
            key, error = next(iter(failed.items()))
            raise NotPublished(f"{len(failed)} keys are held up, {key} by: {_reason(error)}")
        return published

    async def give_back(self) -> None:
        """Let another replica publish at once, because this process stops."""
        with contextlib.suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await self._database.write(self._turn.give_back_within)

    async def _wait_and_publish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await (self._database.changed.wait() if self._is_ours else asyncio.Event().wait())
        self._database.changed.clear()
        began_at = time.monotonic()
        published = await self.publish_waiting()
        pause = min(published * PAUSE_SECONDS_EACH, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(began_at + pause - time.monotonic())

    async def _next(self, after: int) -> Sequence[Waiting]:
        """Return the next messages; none if it is another's turn.

        Messages are read when it is certain that no other process publishes: what was read before
        may be published by now, and so may later messages with its key.
        """
        if self._turn.is_certain:
            return await self._read(after, AT_ONCE)
        if not await self._read(after, 1):
            return []

        def take_and_read(connection: Connection) -> Sequence[Waiting]:
            self._is_ours = self._turn.take_within(connection)
            return waiting_within(connection, after, AT_ONCE) if self._is_ours else []

        return await self._database.write(take_and_read, is_change=False)

    async def _read(self, after: int, most: int) -> Sequence[Waiting]:
        return await self._database.read(lambda connection: waiting_within(connection, after, most))

    def _remove(self, done: Sequence[_Done], connection: Connection) -> None:
        for message, reason in done:
            if reason is not None:
                self._take_back(connection, message, reason)
        remove_within(connection, [message.id for message, _ in done])

    async def _publish(self, wave: Sequence[Waiting], failed: dict[str, Exception]) -> list[_Done]:
        """Publish messages; return those that need nothing more, and add the keys that failed."""
        done: list[_Done] = []
        for errors in await asyncio.gather(*map(self._publish_together, calls(wave))):
            for message, error in errors.items():
                if error is None:
                    done.append((message, None))
                elif _is_too_large(message, error):
                    log.error("message_too_large", topic=message.topic, key=message.key)
                    done.append((message, _reason(error)))
                else:
                    failed[message.key] = error
        return done

    async def _publish_together(
        self, messages: Sequence[Waiting]
    ) -> dict[Waiting, Exception | None]:
        """Publish messages of one topic with different keys; return the error of each.

        A sidecar does not say which ones of several have failed: then each is published alone.
        """
        error = await self._call(messages)
        if error is None or len(messages) == 1:
            return dict.fromkeys(messages, error)
        errors = await asyncio.gather(*(self._call([each]) for each in messages))
        return dict(zip(messages, errors, strict=True))

    async def _call(self, messages: Sequence[Waiting]) -> Exception | None:
        seconds = self._turn.seconds_for_a_call
        if not seconds:
            return NotPublished("the lease ends")
        events = [(each.key, each.event) for each in messages]
        try:
            await self._sidecar.publish_together(messages[0].topic, events, seconds=seconds)
        except grpc.aio.AioRpcError as error:
            failure: Exception = error
            return failure
        return None


def _is_too_large(message: Message, error: Exception) -> bool:
    """Whether no sidecar accepts the message.

    It delivers larger events than it accepts, because it writes one byte as up to six.
    """
    is_refused = (
        isinstance(error, grpc.aio.AioRpcError)
        and error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    )
    return is_refused and len(message.event) > MOST_BYTES


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error)
