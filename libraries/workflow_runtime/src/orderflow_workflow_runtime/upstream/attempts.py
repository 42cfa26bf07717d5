"""Attempts at the turns of workflows: what a work item tells about the turn that it asks for."""

from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Self

_NANOSECONDS: Final = 1e9

Execution = tuple[int, str]
"""When a workflow started under an instance id, in nanoseconds, and the id of that execution."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of the engine at a turn; a retry of the turn is another attempt.

    `began_at` is in seconds since the epoch, by the engine's clock. `written` counts the events in
    the history, and `added` those that the turn adds whatever is answered. `events` identifies what
    has happened since the last turn.
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
            # The last: what an earlier attempt has added may be among the new events still.
            began_at=_nanoseconds(started[-1]) / _NANOSECONDS if started else arrived_at,
            execution=_execution(request),
            written=known + len(request.pastEvents),
            added=len(request.newEvents),
            events=frozenset(hash(e.SerializeToString(deterministic=True)) for e in happened),
        )

    @property
    def is_only_one(self) -> bool:
        """Whether there is no other attempt at this turn: a workflow has just continued as new.

        It does so within an attempt, whose work item goes to the worker for the next turn at once.
        In any other case the workflow starts before the attempt begins.
        """
        return self.execution is not None and self.execution[0] / _NANOSECONDS >= self.began_at

    def is_after(self, other: Self, actions: int) -> bool:
        """Whether the history holds what `other`, answered with so many actions, has led to.

        Every action adds an event to the history, but for a few kinds that add none: so one event
        is all that is required of several actions.
        """
        if self.execution is not None and other.execution not in (None, self.execution):
            return self.execution > other.execution
        return self.written >= other.written + other.added + min(actions, 1)


@dataclass(slots=True)
class Instance:
    """What is known of the attempts at an instance's turns, and of the answers to them.

    `newest` is the newest attempt, if it may be answered or is held, and `answered` the last that
    was answered, with so many `actions`. `on_their_way` counts the answers whose calls have not
    ended; at `arrived_at`, in seconds since the epoch, all others have arrived.
    """

    touched_at: float
    newest: Attempt | None = None
    answered: Attempt | None = None
    actions: int = 0
    on_their_way: int = 0
    arrived_at: float = 0.0

    def is_safe(self, attempt: Attempt, opened_at: float) -> bool:
        """Whether it is proved that no answer given before this attempt can still arrive."""
        if attempt.is_only_one:
            return True
        if self.answered is not None and attempt.is_after(self.answered, self.actions):
            return True
        return not self.on_their_way and attempt.began_at > max(self.arrived_at, opened_at)

    def is_left_over(self, attempt: Attempt) -> bool:
        """Whether the answer to a newer attempt, still to come, makes this one needless."""
        newest = self.newest
        return newest is not None and self.awaits_answer and attempt.began_at < newest.began_at

    def knows(self, attempt: Attempt) -> bool:
        """Whether the last answer is known, and knew of all events of an attempt that it ended."""
        return self.answered is not None and attempt.events <= self.answered.events

    @property
    def awaits_answer(self) -> bool:
        """Whether the worker has yet to answer the newest attempt."""
        return self.newest is not None and self.newest is not self.answered


def _execution(request: Any) -> Execution | None:
    """Find out which execution this is; None if only a later part of the history was sent."""
    for event in chain(request.pastEvents, request.newEvents):
        if event.HasField("executionStarted"):
            instance = event.executionStarted.workflowInstance
            return _nanoseconds(event), instance.executionId.value
    return None


def _nanoseconds(event: Any) -> int:
    return int(event.timestamp.ToNanoseconds())
