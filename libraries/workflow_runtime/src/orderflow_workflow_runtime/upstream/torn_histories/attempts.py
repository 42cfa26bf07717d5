"""Attempts at the turns of workflows, as read from work items."""

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Self

_NANOSECONDS: Final = 1e9

Execution = tuple[int, str]
"""When an execution started under an instance id, in nanoseconds, and its own id."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the engine at a turn; a retry of the turn is another attempt.

    `began_at` is in seconds since the epoch, by the engine's clock. `written` counts the events in
    the history, and `added` those that the turn adds whatever the answer is. `events` identifies
    the new events since the last turn.
    """

    instance_id: str
    token: str
    began_at: float
    execution: Execution | None
    written: int
    added: int
    events: frozenset[int]

    @classmethod
    def of(cls, request: Any, token: str, arrived_at: float) -> Self:
        """Read the request of a work item; one without a time counts as begun when it arrived."""
        started = [e for e in request.newEvents if e.HasField("workflowStarted")]
        happened = [e for e in request.newEvents if not e.HasField("workflowStarted")]
        known = request.cachedHistory.eventCount if request.HasField("cachedHistory") else 0
        return cls(
            instance_id=request.instanceId,
            token=token,
            # The last one: events that an earlier attempt added may still be among the new ones.
            began_at=_nanoseconds(started[-1]) / _NANOSECONDS if started else arrived_at,
            execution=_execution(request),
            written=known + len(request.pastEvents),
            added=len(request.newEvents),
            events=frozenset(hash(e.SerializeToString(deterministic=True)) for e in happened),
        )

    @property
    def is_only_one(self) -> bool:
        """Whether there is no other attempt at this turn: a workflow has just continued as new.

        It does so within an attempt, which sends the work item for the next turn at once. In any
        other case the workflow starts before the attempt begins.
        """
        return self.execution is not None and self.execution[0] / _NANOSECONDS >= self.began_at

    def is_after(self, other: Self, actions: int) -> bool:
        """Whether the history includes the result of `other`, answered with this many actions.

        Most actions add an event to the history, but a few kinds add none. So even several actions
        are only required to have added one event.
        """
        if self.execution is not None and other.execution not in (None, self.execution):
            return self.execution > other.execution
        return self.written >= other.written + other.added + min(actions, 1)


@dataclass(slots=True)
class Instance:
    """The known attempts at an instance's turns, and the answers to them.

    `newest` is the newest attempt, if it may be answered or is held. `answered` is the last one
    that was answered, and `actions` the number of actions in that answer. `in_flight` counts the
    answers whose calls have not ended; all others have arrived by `arrived_at`, in seconds since
    the epoch.
    """

    touched_at: float
    newest: Attempt | None = None
    answered: Attempt | None = None
    actions: int = 0
    in_flight: int = 0
    arrived_at: float = 0.0

    def is_safe(self, attempt: Attempt, opened_at: float) -> bool:
        """Whether it is certain that no answer sent before this attempt can still arrive."""
        if attempt.is_only_one:
            return True
        if self.answered is not None and attempt.is_after(self.answered, self.actions):
            return True
        return not self.in_flight and attempt.began_at > max(self.arrived_at, opened_at)

    def is_left_over(self, attempt: Attempt) -> bool:
        """Whether the pending answer to a newer attempt will serve this one too."""
        newest = self.newest
        return newest is not None and self.awaits_answer and attempt.began_at < newest.began_at

    def knows(self, attempt: Attempt) -> bool:
        """Whether the last answer is known, and was based on all events of this attempt."""
        return self.answered is not None and attempt.events <= self.answered.events

    @property
    def awaits_answer(self) -> bool:
        """Whether the worker has not yet answered the newest attempt."""
        return self.newest is not None and self.newest is not self.answered


def _execution(request: Any) -> Execution | None:
    """Return the execution; None if only a later part of the history was sent."""
    for event in chain(request.pastEvents, request.newEvents):
        if event.HasField("executionStarted"):
            instance = event.executionStarted.workflowInstance
            return _nanoseconds(event), instance.executionId.value
    return None


def _nanoseconds(event: Any) -> int:
    return int(event.timestamp.ToNanoseconds())
