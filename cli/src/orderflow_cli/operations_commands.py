"""Commands for approvals and stock."""

from typing import Annotated

import typer
from pydantic import ValidationError

from orderflow_cli import show
from orderflow_cli.app import Approver, AsJson, Limit, OrderIdArgument, app, services, whole_number
from orderflow_cli.errors import OrderflowError
from orderflow_cli.terminal import clean
from orderflow_contracts.approvals import ApprovalStatus, Decision

Comment = Annotated[str, typer.Option(help="The reason, recorded with the decision.")]


@app.command(short_help="List approval requests.")
def approvals(
    *,
    status: Annotated[
        ApprovalStatus | None, typer.Option(help="Only those with this status.")
    ] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List approval requests."""
    with services() as flow:
        found = flow.approvals(status, limit)
    if as_json:
        show.as_json(found)
    else:
        show.show_approvals(found)


@app.command(short_help="Approve an order.")
def approve(*, order_id: OrderIdArgument, comment: Comment = "", approver: Approver) -> None:
    """Approve an order that is waiting for approval."""
    _decide(order_id, approver, comment, approved=True)


@app.command(short_help="Deny an order.")
def deny(*, order_id: OrderIdArgument, comment: Comment = "", approver: Approver) -> None:
    """Deny an order that is waiting for approval; its reserved stock is released."""
    _decide(order_id, approver, comment, approved=False)


@app.command(short_help="Show what waits to be published.")
def outbox(*, as_json: AsJson = False) -> None:
    """Show how many messages of each service wait to be published, and for how long.

    They are published within a moment while the broker is available.
    """
    with services() as flow:
        found = flow.outboxes()
    if as_json:
        show.as_json(found)
    else:
        show.show_outboxes(found)


@app.command(short_help="Show the stock.")
def stock(*, as_json: AsJson = False) -> None:
    """Show the quantity on hand, reserved and available of each item."""
    with services() as flow:
        found = flow.stock()
    if as_json:
        show.as_json(found)
    else:
        show.show_stock(found)


@app.command(short_help="Add stock.")
def restock(
    *,
    item: Annotated[str | None, typer.Argument(help="The item; all items if omitted.")] = None,
    quantity: Annotated[
        int | None,
        typer.Argument(
            parser=whole_number(1, 1_000_000),
            metavar="[QUANTITY]",
            help="The quantity to add; if omitted, reset to the opening stock.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add stock of an item, or reset one or all items to the opening stock."""
    with services() as flow:
        found = flow.restock(item, quantity)
    if as_json:
        show.as_json(found)
    else:
        show.show_stock(found)


def _decide(order_id: str, approver: str, comment: str, *, approved: bool) -> None:
    try:
        decision = Decision(approved=approved, approver=approver, comment=comment)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise OrderflowError(f"--{fault['loc'][0]}: {fault['msg']}") from error
    with services() as flow:
        missing = flow.decide(order_id, decision).approvals_missing
    word = "approved" if approved else "denied"
    rest = "; one more approver is needed" if missing else ""
    print(f"Order {clean(order_id)} {word} by {clean(approver)}{rest}.")
