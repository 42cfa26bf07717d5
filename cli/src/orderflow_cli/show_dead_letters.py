"""Prints dead letters and parked events on the terminal."""

import base64
from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from orderflow_cli.models import DeadLetter, DeadLetterWithData, ParkedEvent
from orderflow_cli.show import cell, console, moment, new_table, print_table, span
from orderflow_cli.terminal import clean, clean_lines
from orderflow_contracts.dead_letters import Outcome
from orderflow_contracts.fields import now

LONGEST_BEGINNING: Final = 120
"""How much of a payload a preview shows, in characters."""


def show_dead_letters(letters: Sequence[DeadLetter]) -> None:
    """Print a list of dead letters."""
    table = new_table("id", "topic", "event", "order", "reason", ">age", "state")
    for letter in letters:
        table.add_row(
            cell(letter.name),
            cell(letter.topic),
            cell(letter.event_id),
            cell(letter.order_id),
            cell(letter.reason),
            cell(span((now() - letter.received_at).total_seconds())),
            cell(letter.state),
        )
    print_table(table, empty=None if letters else "No dead letters.")


def show_dead_letter(letter: DeadLetterWithData) -> None:
    """Print a dead letter with its payload."""
    console().print(Text.assemble("Dead letter ", (clean(letter.name), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  topic", cell(letter.topic))
    facts.add_row("  order", cell(letter.order_id))
    facts.add_row("  event", cell(letter.event_id))
    facts.add_row("  source", cell(letter.source))
    facts.add_row("  reason", cell(letter.reason))
    facts.add_row("  attempts", cell(str(letter.attempts)))
    facts.add_row("  received", cell(moment(letter.received_at)))
    if letter.resent_at is not None:
        facts.add_row("  resent", cell(f"{moment(letter.resent_at)} as event {letter.resent_as}"))
    if letter.discarded_at is not None:
        facts.add_row(
            "  discarded", cell(f"{moment(letter.discarded_at)}: {letter.discard_reason}")
        )
    if letter.outcome is not None:
        facts.add_row("  outcome", cell(_outcome(letter.service, letter.outcome)))
    console().print(facts)
    if letter.data is None:
        print("The payload is not text. In base64:")
    print(clean_lines(letter.data_base64 if letter.data is None else letter.data))


def _outcome(service: str, outcome: Outcome) -> str:
    if outcome.state == "recorded":
        return f"{outcome.kind} {outcome.id} is now {outcome.status}"
    if outcome.state == "parked":
        return "the event failed again and waits for another attempt"
    if outcome.state == "dead_letter":
        return f"the event could not be handled: dead letter {service}:{outcome.dead_letter}"
    return "nothing is recorded yet"


def preview_dead_letters(letters: Iterable[DeadLetterWithData]) -> None:
    """Print on standard error which events would be published, with the beginning of each."""
    table = new_table("id", "topic", "event", "order", "payload", ">bytes")
    for letter in letters:
        data = base64.b64decode(letter.data_base64)
        text = (
            "not text" if letter.data is None else " ".join(letter.data[:LONGEST_BEGINNING].split())
        )
        table.add_row(
            cell(letter.name),
            cell(letter.topic),
            cell(letter.event_id),
            cell(letter.order_id),
            cell(text),
            f"{len(data):,}",
        )
    console(stderr=True).print(table)


def show_parked_events(events: Sequence[ParkedEvent]) -> None:
    """Print a list of events that are tried again."""
    table = new_table("service", "topic", "event", "last error", ">attempts", "next attempt")
    for event in events:
        table.add_row(
            cell(event.service),
            cell(event.topic),
            cell(event.event_id),
            cell(event.error),
            str(event.attempts),
            cell(moment(event.next_attempt_at)),
        )
    print_table(table, empty=None if events else "No event waits for another attempt.")
