"""Events of a service's topics: each ends handled, parked for another attempt, or a dead letter.

An event is acknowledged once it is in one of these places. So none is lost, and one that cannot be
handled takes no place in the sidecar from the others.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from orderflow_contracts.fields import Clock, now
from orderflow_contracts.names import dead_letter_topic
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.dapr_app import Answer, DaprApp
from orderflow_hosting.dead_letters import DeadLetters, Known, Parked, ParkedEvents
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.explaining import explain
from orderflow_hosting.outbox import add_within, unchanged
from orderflow_hosting.problems import describe
from orderflow_hosting.retrying import is_around

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HANDLING_SECONDS: Final = 10.0
"""How long handling an event may take: less than the time after which it is delivered again."""
MOST_OWN_FAILURES: Final = 10
MOST_FAILURES_KNOWN: Final = 100_000
"""Of how many parked events a process knows when they last failed: more than are parked at once."""
LARGE_BYTES: Final = 100_000
"""The size from which an event is read in a thread, because that takes milliseconds."""
RETRIES_AT_ONCE: Final = 16
LOOK_AGAIN_SECONDS: Final = 1.0

Handle = Callable[[Event], Awaitable[None]]
FindSubject = Callable[[Event], Awaitable[Known | None]]
"""Finds the record of what an event is about, if there is one."""
Message = TypeVar("Message", bound=BaseModel)


class Refused(Exception):
    """An event that can never be handled, with the reason; it becomes a dead letter.

    `subject` is what the event is about, where that cannot be read from its content. `detail`
    explains an invalid event in sentences for people.
    """

    def __init__(
        self, reason: str, subject: str | None = None, *, detail: str | None = None
    ) -> None:
        super().__init__(reason)
        self.subject = subject
        self.detail = detail


class NotYetKnown(Exception):
    """An event about something of which the service has no record yet.

    It is handled again like after a failure of its own, because what it is about may be on its way.
    """


def parse(model: type[Message], event: Event, **defaults: object) -> Message:
    """Read an event's content; raise `Refused` naming what is wrong.

    `defaults` are the values of fields that it does not name.
    """
    if event.flaw is not None:
        raise Refused(f"invalid: {event.flaw}", detail=f"The event is invalid: {event.flaw}.")
    content = event.content
    if isinstance(content, dict):
        missing = {
            name: value
            for name, value in defaults.items()
            if value is not None and content.get(name) is None
        }
        content = {**content, **missing}
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Refused(f"invalid: {describe(error)}", detail=explain(error)) from None


class Topics:
    """The topics that one service subscribes to."""

    def __init__(
        self,
        app: DaprApp,
        letters: DeadLetters,
        parked: ParkedEvents,
        *,
        clock: Clock = now,
    ) -> None:
        self._app = app
        self._letters = letters
        self._parked = parked
        self._clock = clock
        self._handlers: dict[str, Handle] = {}
        self._finders: dict[str, FindSubject] = {}
        self._handled: Counter[str] = Counter()
        self._handled_at_failure: dict[int, int] = {}

    def subscribe(self, topic: str, handle: Handle, find: FindSubject | None = None) -> None:
        """Handle a topic's events one by one, and record its dead letters.

        `handle` returns once the event is handled for good, and raises `Refused` for one that can
        never be, or `NotYetKnown` for one that came too early. After any exception but `Refused`,
        and after `HANDLING_SECONDS`, the event is parked and handled again later. `find` is for
        showing what became of an event that was resent.
        """
        self._handlers[topic] = handle
        if find is not None:
            self._finders[topic] = find
        behind = dead_letter_topic(topic)

        async def deliver(raw: bytes) -> Answer:
            return await self._deliver(topic, await self._read(raw))

        async def arrive(raw: bytes) -> Answer:
            event = await self._read(raw)
            record = self._letters.arrived(topic, event)
            return await self._or_redeliver(record, Answer.ACKNOWLEDGE, behind, event)

        self._app.on_event(topic, deliver, dead_letter_topic=behind)
        self._app.on_event(behind, arrive, dead_letter_topic=None)

    async def find(self, topic: str, event: Event) -> Known | None:
        """Find the record of what an event of a topic is about, if there is one."""
        find = self._finders.get(topic)
        return None if find is None else await find(event)

    def keep_retrying(self, background: BackgroundWork) -> None:
        """Handle parked events again when they are due, for as long as the process runs."""
        pauses = itertools.repeat(LOOK_AGAIN_SECONDS)
        background.repeat(self.retry_due, "parked_events_delayed", pauses=pauses)

    async def retry_due(self) -> None:
        """Handle the parked events that are due, some at a time."""
        while due := await self._parked.claim(RETRIES_AT_ONCE):
            await asyncio.gather(*(self._retry_or_leave(parked) for parked in due))

    async def _deliver(self, topic: str, event: Event) -> Answer:
        try:
            await self._handle(topic, event)
        except Refused as refused:
            subject = refused.subject or self._letters.subject_of(event.content)
            reason, fields = str(refused), {"event_id": event.key, "subject": subject}
            log.warning("event_refused", topic=topic, reason=reason, **fields)
            record = self._letters.record(topic, event, reason, subject=subject)
            return await self._or_redeliver(record, Answer.DEAD_LETTER, topic, event)
        except Exception as error:  # noqa: BLE001 # whatever it is, the event is not lost
            _log_failure("event_parked", topic, event, error)
            park = self._parked.park(topic, event, _text(error))
            return await self._or_redeliver(park, Answer.ACKNOWLEDGE, topic, event)
        return Answer.ACKNOWLEDGE

    async def _or_redeliver(
        self, work: Awaitable[None], answer: Answer, topic: str, event: Event
    ) -> Answer:
        """Do the work and give the answer; if it fails, leave the event with the broker."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 # whatever it is, the event is not lost
            _log_failure("event_waits", topic, event, error)
            return Answer.REDELIVER
        return answer

    async def _retry_or_leave(self, parked: Parked) -> None:
        try:
            await self._retry(parked)
        except Exception as error:  # noqa: BLE001 # it stays parked, and will be claimed again
            log.warning("event_stays_parked", topic=parked.topic, why=_text(error))

    async def _retry(self, parked: Parked) -> None:
        """Handle a parked event again. If this fails too, its next attempt follows later."""
        topic, event = parked.topic, await self._read(parked.raw)
        try:
            await self._handle(topic, event)
        except Refused as refused:
            await self._give_up(parked, event, str(refused), refused.subject)
        except Exception as error:  # noqa: BLE001 # whatever it is, the event is not lost
            _log_failure("event_failed_again", topic, event, error, attempts=parked.attempts + 1)
            own = self._is_own_fault(parked, error)
            if own and parked.own_failures + 1 >= MOST_OWN_FAILURES:
                await self._give_up(parked, event, _why_given_up(error, parked.attempts + 1))
            else:
                await self._parked.failed(parked, _text(error), is_own_fault=own)
        else:
            self._handled_at_failure.pop(parked.id, None)
            await self._parked.remove(parked)

    async def _give_up(
        self, parked: Parked, event: Event, reason: str, subject: str | None = None
    ) -> None:
        """Turn a parked event into a dead letter, and promise it to the dead-letter topic."""
        topic = parked.topic
        log.error("event_given_up", topic=topic, event_id=event.key, reason=reason)

        def promise_and_remove(connection: Connection) -> None:
            add_within(connection, unchanged(dead_letter_topic(topic), event))
            self._parked.remove_within(connection, parked)

        await self._letters.record(
            topic,
            event,
            reason,
            attempts=parked.attempts + 1,
            subject=subject,
            along=promise_and_remove,
        )
        self._handled_at_failure.pop(parked.id, None)

    def _is_own_fault(self, parked: Parked, error: Exception) -> bool:
        """Return whether there is evidence that the event itself makes its handling fail.

        That is if the service works but has no record of what the event is about. After any other
        error it is if nothing that the service depends on has failed, and other events of its topic
        were handled since its last failure. While nothing else succeeds, an event is not given up.
        """
        if isinstance(error, NotYetKnown):
            return True
        handled = self._handled[parked.topic]
        before = self._handled_at_failure.pop(parked.id, handled)
        self._handled_at_failure[parked.id] = handled
        if len(self._handled_at_failure) > MOST_FAILURES_KNOWN:  # other replicas finish some events
            del self._handled_at_failure[next(iter(self._handled_at_failure))]
        return handled > before and not is_around(error)

    async def _handle(self, topic: str, event: Event) -> None:
        async with asyncio.timeout(HANDLING_SECONDS):
            await self._handlers[topic](event)
        self._handled[topic] += 1

    async def _read(self, raw: bytes) -> Event:
        if len(raw) < LARGE_BYTES:
            return read_event(raw, at=self._clock())
        return await asyncio.to_thread(_read_large, raw, self._clock())


def _read_large(raw: bytes, at: datetime) -> Event:
    event = read_event(raw, at=at)
    _ = event.data  # it is kept, once found
    return event


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _why_given_up(error: Exception, attempts: int) -> str:
    if isinstance(error, NotYetKnown):
        return f"tried {attempts} times, but {error}"
    return f"failed {attempts} times: {_text(error)}"


def _log_failure(name: str, topic: str, event: Event, error: Exception, **fields: Any) -> None:
    trace = None if is_around(error) or isinstance(error, NotYetKnown) else error
    log.warning(name, topic=topic, event_id=event.key, why=_text(error), exc_info=trace, **fields)
