"""Commands about orders."""

import itertools
import time
from typing import Annotated

import typer

from orderflow_cli import show
from orderflow_cli.app import (
    NOT_COMPLETED,
    Approver,
    AsJson,
    Limit,
    OrderIdArgument,
    app,
    services,
)
from orderflow_cli.batch_commands import ARRIVAL_SECONDS, print_batch, publish_batch, wait_for_end
from orderflow_cli.client import Orderflow
from orderflow_cli.console import Answers, Console
from orderflow_cli.feed import StatusFeed
from orderflow_cli.order_tracker import OrderTracker
from orderflow_cli.publishing import outcomes, publish_all, summary
from orderflow_cli.submissions import Submission, read_orders, read_text, read_unchecked
from orderflow_cli.terminal import clean
from orderflow_contracts.attention import OrderAttention
from orderflow_contracts.orders import OrderStatus, OrderStatusChanged

Watch = Annotated[bool, typer.Option("--watch", help="Wait for the final result.")]
POLL_SECONDS = 0.5
MIN_ORDERS_FOR_BAR = 10
"""A progress bar appears from this many orders on; fewer are published too fast to see it."""
LONG_TEXT = 1_000_000
"""A progress bar appears while checking texts from this many characters on."""


@app.command(
    context_settings={"ignore_unknown_options": True}, short_help="Place orders interactively."
)
def console(
    *,
    answers: Annotated[
        list[str] | None,
        typer.Argument(help="Answers to use instead of typed ones, such as: cars 11 y exit"),
    ] = None,
    approver: Approver,
) -> None:
    """Ask what to buy, place the order and show its progress; repeat until you type `exit`."""
    with services() as flow:
        Console(flow, Answers(answers or []), approver).run()


@app.command(short_help="Publish orders from a file.")
def publish(
    *,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON or JSON lines; - reads standard input.")
    ],
    watch: Watch = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Validate before publishing.")
    ] = True,
    batch: Annotated[
        str | None,
        typer.Option(metavar="BATCH_ID", help="Publish the orders as one batch with this ID."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish orders as single events or as one batch, and print their IDs."""
    submissions = _read(file, batch, check=check)
    if batch is not None:
        _publish_as_batch(batch, submissions, watch=watch, as_json=as_json)
        return
    with services() as flow:
        if not watch:
            _publish(flow, submissions, print_ids=not as_json)
            if as_json:
                show.as_json({"published": [entry.event_id for entry in submissions]})
            return
        with flow.statuses() as feed:
            started_at = time.monotonic()
            _publish(flow, submissions, print_ids=not as_json)
            ended = _wait(flow, feed, submissions)
        _print_outcomes(ended, time.monotonic() - started_at, as_json=as_json)


@app.command(short_help="Show an order and its history.")
def order(*, order_id: OrderIdArgument, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show an order. With --watch, wait until it ends: exit code 0 if completed, 3 otherwise."""
    with services() as flow:
        found = flow.order(order_id)
        if watch:
            for change in flow.follow(order_id):
                if not as_json:
                    _print_change(change)
            found = flow.order(order_id)
    if as_json:
        show.as_json(found)
    else:
        show.show_order(found)
    if watch and found.status is not OrderStatus.COMPLETED:
        raise typer.Exit(NOT_COMPLETED)


@app.command(short_help="List orders.")
def orders(
    *,
    status: Annotated[OrderStatus | None, typer.Option(help="Only those with this status.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List orders."""
    with services() as flow:
        found = flow.orders(status, limit)
    if as_json:
        show.as_json(found)
    else:
        show.show_orders(found)


@app.command(short_help="Cancel an order.")
def cancel(*, order_id: OrderIdArgument) -> None:
    """Request cancellation of an order; completed steps are rolled back."""
    with services() as flow:
        flow.cancel(order_id)
    print(
        f"Cancellation of order {clean(order_id)} requested. "
        f"Follow it with `orderflow order {clean(order_id)} --watch`."
    )


@app.command(short_help="Retry a failed rollback.")
def retry(*, order_id: OrderIdArgument, watch: Watch = False, as_json: AsJson = False) -> None:
    """Retry the failed rollback of an order that needs attention.

    With --watch, wait for the outcome: exit code 0 if the rollback is complete, 3 otherwise.
    """
    with services() as flow:
        flow.retry(order_id)
        found = flow.attention(order_id)
        while watch and found.retrying_since is not None:
            time.sleep(POLL_SECONDS)
            found = flow.attention(order_id)
    if as_json:
        show.as_json(found)
    else:
        print(_rollback_state(found))
    if watch and found.settled_at is None:
        raise typer.Exit(NOT_COMPLETED)


def _rollback_state(found: OrderAttention) -> str:
    order_id = clean(found.order_id)
    if found.retrying_since is not None:
        return f"Order {order_id}: retrying the rollback."
    if found.settled_at is not None:
        return f"Order {order_id}: rollback complete."
    left = ", ".join(clean(name) for name in found.not_undone or ())
    return f"Order {order_id} still needs attention; not rolled back: {left or 'unknown'}"


def _publish_as_batch(
    batch_id: str, submissions: list[Submission], *, watch: bool, as_json: bool
) -> None:
    with services() as flow:
        publish_batch(flow, batch_id, submissions)
        if watch:
            ended = wait_for_end(flow, batch_id, ARRIVAL_SECONDS)
            print_batch(ended, as_json=as_json, watched=True)
        elif as_json:
            show.as_json({"batch_id": batch_id, "orders": len(submissions)})
        else:
            print(clean(batch_id))


def _read(file: str, batch_id: str | None, *, check: bool) -> list[Submission]:
    text, source = read_text(file)
    if not check:
        return read_unchecked(text, source)
    with show.bar("checking", len(text), hidden=len(text) < LONG_TEXT) as update:
        return read_orders(
            text, source, batch_id, checked=lambda position: update(completed=position)
        )


def _publish(flow: Orderflow, submissions: list[Submission], *, print_ids: bool) -> None:
    with show.bar(
        "publishing", len(submissions), hidden=len(submissions) < MIN_ORDERS_FOR_BAR
    ) as update:
        done = itertools.count(1)
        publish_all(flow, submissions, lambda _: update(completed=next(done)))
    if print_ids:
        for entry in submissions:
            print(clean(entry.event_id))


def _wait(
    flow: Orderflow, feed: StatusFeed, submissions: list[Submission]
) -> list[OrderStatusChanged]:
    order_ids = {entry.event_id for entry in submissions if entry.creates_order}
    with show.bar("ended", len(order_ids)) as update:
        changes = OrderTracker(flow.order, feed, order_ids)
        return outcomes(changes, lambda ended: update(completed=ended))


def _print_outcomes(ended: list[OrderStatusChanged], seconds: float, *, as_json: bool) -> None:
    if as_json:
        show.as_json({"orders": [change.model_dump(mode="json") for change in ended]})
    else:
        for change in ended:
            if change.status is not OrderStatus.COMPLETED:
                print(f"{clean(change.order_id)} {change.status} {clean(change.reason or '')}")
        print(clean(summary(ended, seconds)))
    if any(change.status is not OrderStatus.COMPLETED for change in ended):
        raise typer.Exit(NOT_COMPLETED)


def _print_change(change: OrderStatusChanged) -> None:
    reason = f" ({clean(change.reason)})" if change.reason else ""
    detail = f": {clean(change.detail)}" if change.detail else ""
    print(f"{show.moment(change.at)} {change.status}{reason}{detail}", flush=True)
