"""Prints a workflow instance, or a list of them."""

import json
import shlex
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from orderflow_cli.models import Page
from orderflow_cli.show import (
    NOTHING,
    cell,
    console,
    moment,
    new_table,
    print_table,
    span,
)
from orderflow_cli.terminal import clean
from orderflow_cli.workflows.models import Failure, RuntimeStatus, Workflow
from orderflow_contracts.fields import now

COLOURS: Final = {
    RuntimeStatus.COMPLETED: "green",
    RuntimeStatus.SUSPENDED: "yellow",
    RuntimeStatus.STALLED: "bold red",
    RuntimeStatus.FAILED: "red",
    RuntimeStatus.TERMINATED: "red",
}
NOTE_LENGTH: Final = 60


def show_workflows(
    page: Page[Workflow],
    *,
    status: str | None,
    name: str | None,
    created_from: str | None = None,
    created_before: str | None = None,
    limit: int,
) -> None:
    """Print a list of instances, and the command that continues it if there are more."""
    table = new_table("id", "workflow", "status", "note", "started", ">since update")
    for workflow in page.items:
        table.add_row(
            cell(workflow.instance_id),
            cell(workflow.name),
            _status(workflow.runtime_status),
            cell(shorten(_note(workflow), NOTE_LENGTH)),
            cell(moment(workflow.created_at)),
            cell(span((now() - workflow.last_updated_at).total_seconds())),
        )
    print_table(table, empty=None if page.items else "No matching workflows.")
    if page.next is not None:
        options = {"--status": status, "--name": name}
        options |= {"--created-from": created_from, "--created-before": created_before}
        options |= {"--limit": str(limit), "--after": page.next}
        given = [word for option in options.items() if option[1] is not None for word in option]
        command = shlex.join(["orderflow", "workflows", "list", *map(str, given)])
        print(f"There may be more: continue with `{clean(command)}`.")


def show_workflow(workflow: Workflow) -> None:
    """Print the details of an instance."""
    console().print(Text.assemble("Workflow ", (clean(workflow.instance_id), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  workflow", cell(workflow.name))
    facts.add_row("  status", _status(workflow.runtime_status))
    facts.add_row("  started", cell(moment(workflow.created_at)))
    facts.add_row("  last updated", cell(moment(workflow.last_updated_at)))
    facts.add_row("  input", cell(compact(workflow.input)))
    facts.add_row("  output", cell(compact(workflow.output)))
    if workflow.custom_status is not None:
        facts.add_row("  custom status", cell(compact(workflow.custom_status)))
    if workflow.failure is not None:
        facts.add_row("  failure", cell(_reason(workflow.failure)))
    console().print(facts)


def compact(value: Any) -> str:
    """Format a JSON value on one line; a dash for null."""
    return NOTHING if value is None else json.dumps(value, ensure_ascii=False)


def shorten(text: str, length: int) -> str:
    """Shorten a text to a length; an ellipsis shows that it was shortened."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _note(workflow: Workflow) -> str:
    return _reason(workflow.failure) if workflow.failure else compact(workflow.custom_status)


def _reason(failure: Failure) -> str:
    place = f" in {failure.activity}" if failure.activity else ""
    return f"{failure.code}{place}: {failure.message}"


def _status(status: str) -> Text:
    style = COLOURS[RuntimeStatus(status)] if status in COLOURS else ""
    return Text(clean(status), style=style)
