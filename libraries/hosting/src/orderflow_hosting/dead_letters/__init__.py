"""Events that could not be handled: parked for another attempt, or dead letters."""

from orderflow_hosting.dead_letters.api import dead_letter_router, parked_event_router
from orderflow_hosting.dead_letters.parked import Parked, ParkedEvents, parked_event_table
from orderflow_hosting.dead_letters.store import DeadLetters
from orderflow_hosting.dead_letters.table import dead_letter_table

__all__ = [
    "DeadLetters",
    "Parked",
    "ParkedEvents",
    "dead_letter_router",
    "dead_letter_table",
    "parked_event_router",
    "parked_event_table",
]
