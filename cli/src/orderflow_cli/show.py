"""How things look on the terminal: tables, amounts and times."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from orderflow_cli.models import DeadLetter
from orderflow_cli.terminal import clean
from orderflow_contracts.approvals import Approval
from orderflow_contracts.batches import Batch
from orderflow_contracts.fields import now
from orderflow_contracts.inventory import Stock
from orderflow_contracts.orders import Order, OrderLine, OrderStatus
from orderflow_contracts.tasks import Task

WIDTH_OF_A_FILE: Final = 200
NOTHING: Final = "-"
COLOURS: Final = {
    OrderStatus.COMPLETED: "green",
    OrderStatus.AWAITING_APPROVAL: "yellow",
    OrderStatus.REJECTED: "red",
    OrderStatus.FAILED: "red",
    OrderStatus.NEEDS_ATTENTION: "bold red",
}
UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def as_json(value: object) -> None:
    """Print models, or lists of them, as one JSON document."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=True)
    print(text.replace("\x7f", "\\u007f"), flush=True)


def show_orders(orders: Sequence[Order]) -> None:
    """Print a list of orders."""
    table = new_table("order", "status", "reason", "lines", ">total", "received")
    for order in orders:
        table.add_row(
            cell(order.order_id),
            _status(order.status),
            cell(order.reason),
            cell(lines(order.lines)),
            cell(money(order.total_cents)),
            cell(moment(order.created_at)),
        )
    print_table(table, empty=None if orders else "There is no such order.")


def show_order(order: Order) -> None:
    """Print an order and its history, with the time that each step took."""
    console().print(Text.assemble("Order ", (clean(order.order_id), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  customer", cell(order.customer_id))
    facts.add_row("  lines", cell(lines(order.lines)))
    for label, value in order.further_values().items():
        facts.add_row(f"  {label.lower()}", cell(value))
    facts.add_row("  total", cell(money(order.total_cents)))
    facts.add_row("  status", _status(order.status))
    if order.reason:
        facts.add_row("  reason", cell(order.reason))
    console().print(facts)
    table = new_table(">", "status", "reason", "at", ">after")
    earlier = None
    for entry in order.history:
        table.add_row(
            str(entry.sequence),
            _status(entry.status),
            cell(entry.reason),
            cell(moment(entry.at)),
            cell(NOTHING if earlier is None else span((entry.at - earlier).total_seconds())),
        )
        earlier = entry.at
    print_table(table)


def show_batch(batch: Batch) -> None:
    """Print a batch, how many of its orders have which status, and each order."""
    console().print(Text.assemble("Batch ", (clean(batch.batch_id), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  status", cell(batch.status))
    if batch.reason:
        facts.add_row("  reason", cell(batch.reason))
    counts = ", ".join(f"{count} {status}" for status, count in batch.counts.items())
    facts.add_row("  orders", cell(f"{batch.total}: {counts}"))
    facts.add_row("  total", cell(money(batch.total_cents)))
    facts.add_row("  received", cell(moment(batch.created_at)))
    if batch.ended_at:
        facts.add_row("  ended", cell(moment(batch.ended_at)))
    console().print(facts)
    table = new_table("order", "status", "reason", ">total")
    for order in batch.orders:
        table.add_row(
            cell(order.order_id or NOTHING),
            _status(order.status),
            cell(order.reason),
            cell(money(order.total_cents)),
        )
    print_table(table)


def show_approvals(approvals: Sequence[Approval]) -> None:
    """Print a list of requests for approval, with who decided; `1/2` is one of two approvals."""
    table = new_table("order", "status", "customer", "lines", ">total", "expires", "approver")
    for approval in approvals:
        table.add_row(
            cell(approval.order_id),
            cell(approval.status),
            cell(approval.customer_id),
            cell(lines(approval.lines)),
            cell(money(approval.total_cents)),
            cell(moment(approval.expires_at)),
            cell(_approvers(approval)),
        )
    print_table(table, empty=None if approvals else "There is no such request for approval.")


def _approvers(approval: Approval) -> str | None:
    """Name who decided, and tell how many of several approvals there are."""
    if approval.levels == 1:
        return approval.approver
    approvals = sum(decision.approved for decision in approval.decisions)
    names = ", ".join(decision.approver for decision in approval.decisions)
    return f"{approvals}/{approval.levels} {names}".rstrip()


def show_stock(stock: Stock) -> None:
    """Print what lies on the shelf."""
    table = new_table("item", ">on hand", ">reserved", ">available", ">price")
    for item in stock.items:
        table.add_row(
            cell(item.item),
            str(item.on_hand),
            str(item.reserved),
            str(item.available),
            money(item.unit_price_cents),
        )
    print_table(table)


def show_tasks(tasks: Sequence[Task]) -> None:
    """Print a list of tasks."""
    table = new_table("task", "status", "assignee", "title", "since", "completed")
    for task in tasks:
        table.add_row(
            cell(task.task_id),
            cell(task.status),
            cell(task.assignee),
            cell(task.title),
            cell(moment(task.created_at)),
            cell(NOTHING if task.completed_at is None else moment(task.completed_at)),
        )
    print_table(table, empty=None if tasks else "There is no such task.")


def show_task(task: Task) -> None:
    """Print a task."""
    console().print(Text.assemble("Task ", (clean(task.task_id), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  title", cell(task.title))
    facts.add_row("  assignee", cell(task.assignee))
    facts.add_row("  order", cell(task.order_id))
    facts.add_row("  status", cell(task.status))
    facts.add_row("  since", cell(moment(task.created_at)))
    if task.completed_at is not None:
        facts.add_row("  completed", cell(moment(task.completed_at)))
    facts.add_row("  workflow", cell(task.instance_id))
    console().print(facts)


def show_dead_letters(letters: Sequence[DeadLetter]) -> None:
    """Print a list of dead letters."""
    table = new_table("id", "topic", "event", "order", "reason", ">age", "sent again")
    for letter in letters:
        table.add_row(
            cell(letter.name),
            cell(letter.topic),
            cell(letter.event_id),
            cell(letter.order_id),
            cell(letter.reason),
            cell(span((now() - letter.received_at).total_seconds())),
            cell(NOTHING if letter.resent_at is None else moment(letter.resent_at)),
        )
    print_table(table, empty=None if letters else "There are no dead letters.")


def console(*, stderr: bool = False) -> Console:
    """Return the terminal, or something wide where the output goes to a file."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDTH_OF_A_FILE, highlight=False)


@contextmanager
def bar(title: str, total: int | None, *, hidden: bool = False) -> Iterator[Callable[..., None]]:
    """Show on a terminal how much is done; yield what takes `completed`, and a new `total`."""
    shown = console(stderr=True)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    is_off = hidden or not shown.is_terminal
    with Progress(*columns, console=shown, transient=True, disable=is_off) as progress:
        yield partial(progress.update, progress.add_task(title, total=total))


def money(cents: int | None) -> str:
    """Write cents as dollars."""
    return NOTHING if cents is None else f"${cents / 100:,.2f}"


def moment(at: datetime) -> str:
    """Write a time of day on its date, where the reader is."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Write a length of time in the unit that suits it.

    >>> span(0.0421), span(3.25), span(200), span(90_000)
    ('42 ms', '3.2 s', '3 min', '1 d')
    """
    for length, unit in UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def lines(of_order: Iterable[OrderLine]) -> str:
    """Write an order's lines in a row."""
    return ", ".join(f"{line.quantity} {line.item}" for line in of_order)


def explain(text: str) -> None:
    """Tell a person what was done, beside what a program reads."""
    print(clean(text), file=sys.stderr)


def new_table(*columns: str) -> Table:
    """Begin a table; a `>` before a column's name puts what is in it to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if is_number else "left",
            # Ids are copied from here: they are folded rather than cut off.
            overflow="fold",
        )
    return table


def print_table(table: Table, empty: str | None = None) -> None:
    """Print a table, or the sentence that says why there is nothing in it."""
    console().print(table if empty is None else empty)


def cell(text: str | None) -> Text:
    """Write what came from anyone so that it does nothing to the table or the terminal."""
    return Text(clean(text) if text else NOTHING)


def _status(status: OrderStatus) -> Text:
    return Text(status, style=COLOURS.get(status, ""))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
