"""Finds out whether a history is torn."""

from collections import Counter
from typing import Any

ACTIONS = ("taskScheduled", "timerCreated", "childWorkflowInstanceCreated")


def has_repeated_action(events: tuple[dict[str, Any], ...]) -> bool:
    """Whether a history holds two actions of one number."""
    numbers = Counter(e.get("eventId", 0) for e in events if any(kind in e for kind in ACTIONS))
    return any(count > 1 for count in numbers.values())
