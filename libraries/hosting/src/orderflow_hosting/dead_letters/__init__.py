"""Events that could not be handled: parked for another attempt, or dead letters."""

from orderflow_hosting.dead_letters.api import dead_letter_router, parked_event_router
from orderflow_hosting.dead_letters.outcomes import Known, Outcomes
from orderflow_hosting.dead_letters.parked import Parked, ParkedEvents, parked_event_table
from orderflow_hosting.dead_letters.store import DeadLetters
from orderflow_hosting.dead_letters.table import Preview, dead_letter_table
from orderflow_hosting.dead_letters.wanted import State, Wanted

__all__ = [
    "DeadLetters",
    "Known",
    "Outcomes",
    "Parked",
    "ParkedEvents",
    "Preview",
    "State",
    "Wanted",
    "dead_letter_router",
    "dead_letter_table",
    "parked_event_router",
    "parked_event_table",
]
