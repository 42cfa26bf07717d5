"""Prints tables, amounts and times on the terminal."""

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

from orderflow_cli.models import Outbox
from orderflow_cli.terminal import clean
from orderflow_contracts.approvals import Approval
from orderflow_contracts.batches import Batch
from orderflow_contracts.inventory import Stock
from orderflow_contracts.orders import Order, OrderLine, OrderStatus
from orderflow_contracts.tasks import Task

FILE_WIDTH: Final = 200
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
    print_table(table, empty=None if orders else "No matching orders.")


def show_order(order: Order) -> None:
    """Print an order and its history, with the duration of each step."""
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
    if order.detail:
        facts.add_row("  detail", cell(order.detail))
    console().print(facts)
    table = new_table(">", "status", "reason", "at", ">duration")
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
    """Print a batch, the number of orders per status, and each order with its detail, if any."""
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
    table = new_table(">entry", "order", "status", "reason", ">total", "detail")
    for order in batch.orders:
        table.add_row(
            cell(None if order.number is None else str(order.number)),
            cell(order.order_id or NOTHING),
            _status(order.status),
            cell(order.reason),
            cell(money(order.total_cents)),
            cell(order.detail),
        )
    print_table(table)


def show_approvals(approvals: Sequence[Approval]) -> None:
    """Print a list of approval requests with their approvers; `1/2` is one of two approvals."""
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
    print_table(table, empty=None if approvals else "No matching approval requests.")


def _approvers(approval: Approval) -> str | None:
    """Return the approvers, with the number of approvals if several are needed."""
    if approval.levels == 1:
        return approval.approver
    approvals = sum(decision.approved for decision in approval.decisions)
    names = ", ".join(decision.approver for decision in approval.decisions)
    return f"{approvals}/{approval.levels} {names}".rstrip()


def show_stock(stock: Stock) -> None:
    """Print the stock."""
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


def show_outboxes(outboxes: Sequence[Outbox]) -> None:
    """Print how many messages of each service wait to be published, and since when."""
    table = new_table("service", ">waiting", "oldest written")
    for outbox in outboxes:
        since = NOTHING if outbox.oldest_at is None else moment(outbox.oldest_at)
        table.add_row(cell(outbox.service), str(outbox.messages), since)
    print_table(table)


def show_tasks(tasks: Sequence[Task]) -> None:
    """Print a list of tasks."""
    table = new_table("task", "status", "assignee", "title", "created", "completed")
    for task in tasks:
        table.add_row(
            cell(task.task_id),
            cell(task.status),
            cell(task.assignee),
            cell(task.title),
            cell(moment(task.created_at)),
            cell(NOTHING if task.completed_at is None else moment(task.completed_at)),
        )
    print_table(table, empty=None if tasks else "No matching tasks.")


def show_task(task: Task) -> None:
    """Print a task."""
    console().print(Text.assemble("Task ", (clean(task.task_id), "bold")))
    facts = Table.grid(padding=(0, 2))
    facts.add_row("  title", cell(task.title))
    facts.add_row("  assignee", cell(task.assignee))
    facts.add_row("  order", cell(task.order_id))
    facts.add_row("  status", cell(task.status))
    facts.add_row("  created", cell(moment(task.created_at)))
    if task.completed_at is not None:
        facts.add_row("  completed", cell(moment(task.completed_at)))
    facts.add_row("  workflow", cell(task.instance_id))
    console().print(facts)


def console(*, stderr: bool = False) -> Console:
    """Return the terminal, with a fixed width if the output goes to a file."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else FILE_WIDTH, highlight=False)


@contextmanager
def bar(title: str, total: int | None, *, hidden: bool = False) -> Iterator[Callable[..., None]]:
    """Show a progress bar on a terminal; yield a function that takes `completed` and `total`."""
    terminal = console(stderr=True)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    is_off = hidden or not terminal.is_terminal
    with Progress(*columns, console=terminal, transient=True, disable=is_off) as progress:
        yield partial(progress.update, progress.add_task(title, total=total))


def money(cents: int | None) -> str:
    """Format cents as dollars."""
    return NOTHING if cents is None else f"${cents / 100:,.2f}"


def moment(at: datetime) -> str:
    """Format a time in the local time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Format a duration in a suitable unit.

    >>> span(0.0421), span(3.25), span(200), span(90_000)
    ('42 ms', '3.2 s', '3 min', '1 d')
    """
    for length, unit in UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def lines(of_order: Iterable[OrderLine]) -> str:
    """Format an order's lines on one line."""
    return ", ".join(f"{line.quantity} {line.item}" for line in of_order)


def note(text: str) -> None:
    """Print a note for the user on standard error, apart from the output."""
    print(clean(text), file=sys.stderr)


def new_table(*columns: str) -> Table:
    """Create a table; a `>` before a column's name aligns it to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        is_number = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if is_number else "left",
            # IDs are copied from here, so they are wrapped and never cut off.
            overflow="fold",
        )
    return table


def print_table(table: Table, empty: str | None = None) -> None:
    """Print a table, or a sentence if it is empty."""
    console().print(table if empty is None else empty)


def cell(text: str | None) -> Text:
    """Return untrusted text, cleaned so that it cannot affect the table or the terminal."""
    return Text(clean(text) if text else NOTHING)


def _status(status: OrderStatus) -> Text:
    return Text(status, style=COLOURS.get(status, ""))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
