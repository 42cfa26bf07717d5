"""Dead letters: events that could not be handled, recorded to be inspected and resent."""

from orderflow_hosting.dead_letters.api import dead_letter_router
from orderflow_hosting.dead_letters.store import DeadLetters
from orderflow_hosting.dead_letters.table import dead_letter_table

__all__ = ["DeadLetters", "dead_letter_router", "dead_letter_table"]
