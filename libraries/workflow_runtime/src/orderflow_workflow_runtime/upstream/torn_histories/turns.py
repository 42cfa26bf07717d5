"""Decides which work items of workflows the worker runs and answers, so that no history is torn.

The engine, in the sidecar, advances a workflow in turns. For each turn it sends a work item: the
history, and the new events. The worker answers with actions, which are written to the history. If
the call that began a turn is abandoned, because a worker is lost or the health of the application
changes, the engine makes another attempt at the turn, with another work item.

Dapr 1.18 matches an answer to the id of the instance and not to the attempt: an answer ends
whichever attempt is pending when it arrives. An answer to another attempt at the same turn does no
harm, because both have the same history. But if a turn gets two answers, the second one ends the
next turn. The history then has the actions of one turn twice, and the workflow hangs for ever or
fails. Hence the rule:

    An attempt is run only if no earlier answer about its instance can still arrive.

There are three proofs of that, and each is enough (`Instance.is_safe`):

- by kind: a workflow that continues as new does so within an attempt, and there is no other attempt
  at its first turn: the previous answer was applied, or the workflow would not have continued;
- by history: the attempt's history includes what the last answer added, so that answer was applied;
- by time: the attempt began after the last answer had arrived, and after the stream of work items
  was opened, which is after the end of any former worker. An answer has arrived when its call has
  returned, and `LATE_SECONDS` later if the call has failed.

An attempt without proof is doubtful. It may be pending, or an earlier answer may have ended it. It
is never run, only remembered. Usually a newer attempt at this turn or the next arrives soon, and
replaces it. If none does, and no answer is in flight, the engine is asked to restart the turn
(`restarts`). A restart writes nothing, so it does no harm, whichever attempt it ends. (An exception
is a workflow that has continued as new within the attempt, hence the proof by kind.) The attempt
that follows begins after all answers have arrived, and is safe by time. If none follows, nothing
was pending: an earlier answer has ended the doubtful attempt. If that answer may not have been
based on all its events, one more event wakes the workflow, which then receives them all.

This has two consequences. Only the newest attempt of an instance is answered. And an attempt that
began before the newest, while that one has not been answered, is left over from an abandoned call:
the answer to the newest serves both.
"""

import itertools
import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import structlog

from orderflow_workflow_runtime.upstream.torn_histories.attempts import Attempt, Instance

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

HELD_SECONDS: Final = 1.5
"""A doubtful attempt waits this long for a newer one; the engine tries again after one second."""
FOLLOWED_SECONDS: Final = 3.0
"""A restart is followed by another attempt within this time if anything was pending."""
REPEATED_SECONDS: Final = 10.0
"""After this time without success, the engine is asked again."""
LATE_SECONDS: Final = 5.0
"""An answer whose call has failed may arrive this much later."""
REMEMBERED_SECONDS: Final = 60.0
"""After this time without attempts and answers, an instance is forgotten."""


class Step(Enum):
    """What the engine is asked to do about a doubtful attempt that no newer one replaces."""

    RESTART = "restart"
    WAKE = "wake"


@dataclass(slots=True)
class _Hold:
    """Until when the newest attempt of an instance is held, and what is done then."""

    until: float
    step: Step = Step.RESTART


@dataclass(slots=True)
class Turns:
    """Tracks attempts and answers, and decides which of them may pass; thread-safe.

    All times are in seconds since the epoch, by the clock that engine and worker share.
    """

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tokens: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _instances: dict[str, Instance] = field(default_factory=dict)
    _held: dict[str, _Hold] = field(default_factory=dict)
    """The instances whose newest attempt is doubtful."""
    _opened_at: float = 0.0
    _tidied_at: float = 0.0

    def open(self, at: float) -> None:
        """Record a new stream: the engine has abandoned the attempts that it sent on the old one.

        Doubtful ones are still held: a workflow may have to be woken because of them.
        """
        with self._lock:
            self._opened_at = at
            for key, instance in self._instances.items():
                if key not in self._held:
                    instance.newest = None

    def take(self, item: Any, at: float) -> bool:
        """Record a work item, and return whether it is to be run."""
        if not item.HasField("workflowRequest"):
            return True
        item.completionToken = str(next(self._tokens))
        attempt = Attempt.of(item.workflowRequest, item.completionToken, at)
        key = attempt.instance_id
        with self._lock:
            instance = self._touch(key, at)
            if instance.is_left_over(attempt):
                log.info("leftover_turn_dropped", instance_id=key)
                return False
            if self._held.pop(key, None) is not None:
                log.info("doubtful_turn_replaced", instance_id=key)
            instance.newest = attempt
            is_safe = instance.is_safe(attempt, self._opened_at)
            if not is_safe:
                log.info("doubtful_turn_held", instance_id=key)
                self._held[key] = _Hold(at + HELD_SECONDS)
            return is_safe

    def is_newest(self, instance_id: str, token: str) -> bool:
        """Whether the attempt with this token may still be run and answered."""
        with self._lock:
            return self._answerable(instance_id, token) is not None

    def begin_answer(self, answer: Any, at: float) -> bool:
        """Return whether an answer is to be sent; if so, call `end_answer` when the call ends."""
        with self._lock:
            instance = self._answerable(answer.instanceId, answer.completionToken)
            if instance is None:
                log.info("answer_to_leftover_turn_dropped", instance_id=answer.instanceId)
                return False
            instance.touched_at = at
            instance.answered, instance.actions = instance.newest, len(answer.actions)
            instance.in_flight += 1
            return True

    def end_answer(self, instance_id: str, at: float, *, arrived: bool) -> None:
        """Record that the call with an answer has ended, and whether the engine has replied.

        If not, the answer may be lost and the attempt pending for ever: it becomes doubtful.
        """
        with self._lock:
            instance = self._touch(instance_id, at)
            instance.in_flight -= 1
            instance.arrived_at = max(instance.arrived_at, at if arrived else at + LATE_SECONDS)
            if not arrived and instance.newest is instance.answered is not None:
                self._held[instance_id] = _Hold(instance.arrived_at)

    def due(self, at: float) -> list[tuple[Attempt, Step]]:
        """Return the doubtful attempts that need a restart or an event now."""
        with self._lock:
            steps = []
            for key in [key for key, hold in self._held.items() if hold.until <= at]:
                hold, instance = self._held[key], self._instances[key]
                attempt = instance.newest
                if attempt is None or (hold.step is Step.WAKE and instance.knows(attempt)):
                    self._drop(key)
                elif hold.step is Step.RESTART and instance.in_flight:
                    hold.until = at + HELD_SECONDS
                elif hold.step is Step.RESTART and instance.arrived_at > at:
                    hold.until = instance.arrived_at
                else:
                    hold.until = at + REPEATED_SECONDS
                    steps.append((attempt, hold.step))
            return steps

    def pause(self, at: float, longest: float) -> float:
        """Return in how many seconds something is due, or the longest pause if that is less."""
        with self._lock:
            return max(0.0, min([longest, *(hold.until - at for hold in self._held.values())]))

    def restarted(self, attempt: Attempt, at: float) -> None:
        """Record that a restart has arrived: if something was pending, a newer attempt follows."""
        with self._lock:
            if self._is_held(attempt):
                self._held[attempt.instance_id] = _Hold(at + FOLLOWED_SECONDS, Step.WAKE)

    def release(self, attempt: Attempt) -> None:
        """Forget a doubtful attempt that is no longer pending."""
        with self._lock:
            if self._is_held(attempt):
                self._drop(attempt.instance_id)

    def _drop(self, key: str) -> None:
        del self._held[key]
        self._instances[key].newest = None

    def _is_held(self, attempt: Attempt) -> bool:
        key = attempt.instance_id
        return key in self._held and self._instances[key].newest is attempt

    def _answerable(self, instance_id: str, token: str) -> Instance | None:
        instance = self._instances.get(instance_id)
        if instance is None or instance.newest is None or instance_id in self._held:
            return None
        return instance if instance.newest.token == token else None

    def _touch(self, key: str, at: float) -> Instance:
        self._tidy(at)
        instance = self._instances.setdefault(key, Instance(at))
        instance.touched_at = at
        return instance

    def _tidy(self, at: float) -> None:
        if at < self._tidied_at + REMEMBERED_SECONDS:
            return
        self._tidied_at = at
        before = at - REMEMBERED_SECONDS
        for key, instance in list(self._instances.items()):
            is_needed = instance.in_flight or instance.awaits_answer or key in self._held
            if instance.touched_at < before and not is_needed:
                del self._instances[key]
