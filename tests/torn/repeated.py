"""Detects torn histories."""

from collections import Counter
from typing import Any

ACTIONS = ("taskScheduled", "timerCreated", "childWorkflowInstanceCreated")


def has_repeated_action(events: tuple[dict[str, Any], ...]) -> bool:
    """Return whether a history has two actions with the same number."""
    numbers = Counter(e.get("eventId", 0) for e in events if any(kind in e for kind in ACTIONS))
    return any(count > 1 for count in numbers.values())
