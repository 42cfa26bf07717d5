"""Examines instances: finds out which cannot go on, because something of theirs is lost.

What is overdue may still come, if the engine is busy. So the instance first gets an event that no
workflow waits for, which shows two things. If the engine handles it while what was due before is
still missing, that is lost, by the engine's own clock. And a result that only lacked the reminder
to handle it is handled together with the event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import structlog

from orderflow_contracts.fields import Clock, now
from orderflow_workflow_runtime.damage import find_damage, find_overdue
from orderflow_workflow_runtime.histories import Recording
from orderflow_workflow_runtime.instances import Failure
from orderflow_workflow_runtime.ports import (
    Engine,
    InstanceDamaged,
    NoSuchInstance,
    ReplacingEngine,
)
from orderflow_workflow_runtime.upstream.late_results import APART

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PROGRESS_CHECK: Final = "progress_was_checked"
"""The external event that shows whether the engine handles what is due."""
SEEN_AGAIN: Final = timedelta(seconds=8)
"""What is found must still be there after this time."""
RECENTLY: Final = timedelta(seconds=45)
STUCK: Final = timedelta(minutes=5)
"""An instance that does not handle an event within this time is stuck, however busy the engine."""
NOT_SEEN_BEFORE: Final = "it was just created"
NOT_STARTED: Final = "it was not started"
_WAITS: Final = " waits"
"""Marks what the caller of an examiner suspects of an instance; no id contains a space."""


class Kind(StrEnum):
    """What is wrong with an instance."""

    LOST_INSTANCE = "lost_instance"
    DAMAGED_HISTORY = "damaged_history"
    LOST_TIMER = "lost_timer"


@dataclass(frozen=True)
class Finding:
    """An instance that cannot go on: why, and its history if that can be read."""

    instance_id: str
    kind: Kind
    detail: str
    recording: Recording | None = None


@dataclass(frozen=True)
class _Suspicion:
    """What was seen first, when, and how often the event had been handled by then."""

    what: str
    since: datetime
    handled: int = 0


class Examiner:
    """Examines instances that should have made progress, each of them repeatedly.

    `is_running` says whether the worker in this process is running an activity of an instance.
    """

    def __init__(
        self,
        engine: ReplacingEngine,
        is_running: Callable[[str, int], bool],
        clock: Clock = now,
    ) -> None:
        self._engine = engine
        self._is_running = is_running
        self._clock = clock
        self._suspicions: dict[str, _Suspicion] = {}
        self._seen_at: dict[str, datetime] = {}

    async def examine(self, instance_id: str, called: str | None = None) -> Finding | None:
        """Return what is wrong with an instance; it may take several calls to be certain.

        `called` is an activity whose effect is known, so that a history without it was set back,
        unless the run took the place of another one. Raises `EngineUnavailable`.
        """
        try:
            recording = await self._engine.recording(instance_id)
        except InstanceDamaged as error:
            return self._certain(instance_id, Kind.DAMAGED_HISTORY, str(error))
        except NoSuchInstance:
            return self._certain(instance_id, Kind.LOST_INSTANCE, "the engine does not know it")
        events = recording.history()
        damage = find_damage(events) or _misfit(events)
        if damage is not None and not _has_succeeded(events):
            return Finding(instance_id, Kind.DAMAGED_HISTORY, damage, recording)
        if events and (lost := await self._find_lost(instance_id, events, called)):
            is_set_back = _set_back(events, called) is not None
            kind = Kind.DAMAGED_HISTORY if is_set_back else Kind.LOST_TIMER
            return Finding(instance_id, kind, lost, recording)
        if not events and (lost := await self._find_not_started(instance_id)):
            return Finding(instance_id, Kind.LOST_TIMER, lost, recording)
        return None

    def confirm(
        self, instance_id: str, kind: Kind, what: str | None, recording: Recording
    ) -> Finding | None:
        """Return the finding that the caller made, if it made the same some seconds ago."""
        key = f"{instance_id}{_WAITS}"
        if what is None:
            self.forget(key)
            return None
        first = self._first(key, what)
        is_certain = self._clock() >= first.since + SEEN_AGAIN
        return Finding(instance_id, kind, what, recording) if is_certain else None

    def forget(self, instance_id: str) -> None:
        """Forget what was seen of an instance, because it was replaced."""
        self._suspicions.pop(instance_id, None)
        self._suspicions.pop(f"{instance_id}{_WAITS}", None)

    def overdue(self) -> list[tuple[str, str]]:
        """Return the instances that seem to have lost something, and what that is.

        One that has not been seen again for `RECENTLY` is left out: it may have gone on since.
        """
        after = self._clock() - RECENTLY
        kept = {*Kind, NOT_SEEN_BEFORE}
        return [
            (key.removesuffix(_WAITS), each.what)
            for key, each in self._suspicions.items()
            if each.what not in kept and self._seen_at[key] > after
        ]

    def forget_old(self) -> None:
        """Forget what was seen of instances that are no longer examined."""
        before = self._clock() - 2 * STUCK
        for key in [key for key, each in self._suspicions.items() if each.since < before]:
            del self._suspicions[key]
        self._seen_at = {key: self._seen_at[key] for key in self._suspicions}

    def _certain(self, instance_id: str, kind: Kind, detail: str) -> Finding | None:
        """Return the finding if it is the same as some seconds ago."""
        first = self._first(instance_id, kind)
        is_certain = self._clock() >= first.since + SEEN_AGAIN
        return Finding(instance_id, kind, detail) if is_certain else None

    async def _find_lost(
        self, instance_id: str, events: Sequence[Any], called: str | None
    ) -> str | None:
        suspected = self._suspected(instance_id, events, called, self._clock())
        if suspected is None:
            self._suspicions.pop(instance_id, None)
            return None
        first = await self._check_progress(instance_id, suspected, len(_checks(events)))
        checks = _checks(events)
        if len(checks) <= first.handled:
            return self._stuck(first)
        if self._clock() < first.since + SEEN_AGAIN:
            return None
        checked_at = checks[-1].timestamp.ToDatetime(UTC)
        return self._suspected(instance_id, events, called, checked_at)

    async def _find_not_started(self, instance_id: str) -> str | None:
        """Return that an instance was not started, although it got an event to wake it."""
        known = self._suspicions.get(instance_id)
        if known is None or known.what == NOT_SEEN_BEFORE:
            first = self._first(instance_id, NOT_SEEN_BEFORE)
            if self._clock() < first.since + SEEN_AGAIN:
                return None
        return self._stuck(await self._check_progress(instance_id, NOT_STARTED, 0))

    async def _check_progress(self, instance_id: str, what: str, handled: int) -> _Suspicion:
        """Return the first suspicion of this kind, with the event raised once for it."""
        known = self._suspicions.get(instance_id)
        if known is None or known.what != what:
            await self._raise_check(self._engine, instance_id)
        return self._first(instance_id, what, handled)

    async def _raise_check(self, engine: Engine, instance_id: str) -> None:
        log.info("instance_overdue", instance_id=instance_id)
        await engine.raise_event(instance_id, PROGRESS_CHECK, None)

    def _first(self, instance_id: str, what: str, handled: int = 0) -> _Suspicion:
        known = self._suspicions.get(instance_id)
        if known is None or known.what != what:
            known = _Suspicion(what, self._clock(), handled)
            self._suspicions[instance_id] = known
        self._seen_at[instance_id] = self._clock()
        return known

    def _stuck(self, first: _Suspicion) -> str | None:
        if self._clock() < first.since + STUCK:
            return None
        return f"{first.what}, and the instance has handled no event for {STUCK.seconds:.0f} s"

    def _suspected(
        self, instance_id: str, events: Sequence[Any], called: str | None, at: datetime
    ) -> str | None:
        """Return what is missing from a history at a time, in words."""
        overdue = (
            str(each)
            for each in find_overdue(events, at)
            if each.kind != "activity" or not self._is_running(instance_id, each.event_id)
        )
        return _set_back(events, called) or next(overdue, None)


def _checks(events: Sequence[Any]) -> list[Any]:
    return [
        event
        for event in events
        if event.HasField("eventRaised") and event.eventRaised.name == PROGRESS_CHECK
    ]


def _misfit(events: Sequence[Any]) -> str | None:
    """Return the failure of an instance whose history no longer fits its code."""
    for event in events:
        if event.HasField("executionCompleted"):
            failed = event.executionCompleted.failureDetails
            failure = Failure.of(failed.errorType, failed.errorMessage)
            return failure.message if failure.code == "NON_DETERMINISTIC" else None
    return None


def _set_back(events: Sequence[Any], called: str | None) -> str | None:
    """Return what a history lacks; the first turn of a run that replaced another has no actions."""
    if _has_ended(events):
        return None
    is_first = 0 < max((event.eventId for event in events), default=0) < APART
    if called is None or not is_first or any(e.taskScheduled.name == called for e in events):
        return None
    return f"the effect of {called} is known, and the history does not have it"


def _has_ended(events: Sequence[Any]) -> bool:
    return any(event.HasField("executionCompleted") for event in events)


def _has_succeeded(events: Sequence[Any]) -> bool:
    """Whether the instance has ended without a failure: then its history is of no consequence."""
    return any(
        event.HasField("executionCompleted")
        and not event.executionCompleted.failureDetails.errorType
        for event in events
    )
