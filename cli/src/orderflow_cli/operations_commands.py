"""Commands for whoever runs the shop: approvals, stock and dead letters."""

from typing import Annotated

import typer
from pydantic import ValidationError

from orderflow_cli import show
from orderflow_cli.app import Approver, AsJson, Limit, OrderIdArgument, app, services, whole_number
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.models import DeadLetter
from orderflow_cli.terminal import clean
from orderflow_contracts.approvals import ApprovalStatus, Decision

Comment = Annotated[str, typer.Option(help="Why, for the record.")]
ALL = "all"


@app.command(short_help="List requests for approval.")
def approvals(
    *,
    status: Annotated[ApprovalStatus | None, typer.Option(help="Those with this status.")] = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List requests for approval."""
    with services() as flow:
        found = flow.approvals(status, limit)
    if as_json:
        show.as_json(found)
    else:
        show.show_approvals(found)


@app.command(short_help="Approve an order's payment.")
def approve(*, order_id: OrderIdArgument, comment: Comment = "", approver: Approver) -> None:
    """Approve an order's payment."""
    _decide(order_id, approver, comment, approved=True)


@app.command(short_help="Deny an order's payment.")
def deny(*, order_id: OrderIdArgument, comment: Comment = "", approver: Approver) -> None:
    """Deny an order's payment; what was set aside for it goes back on the shelf."""
    _decide(order_id, approver, comment, approved=False)


@app.command(short_help="Show what lies on the shelf.")
def stock(*, as_json: AsJson = False) -> None:
    """Show what lies on the shelf, what of it is reserved, and what can be bought."""
    with services() as flow:
        found = flow.stock()
    if as_json:
        show.as_json(found)
    else:
        show.show_stock(found)


@app.command(short_help="Put pieces on the shelf.")
def restock(
    *,
    item: Annotated[str | None, typer.Argument(help="This item; all if none is named.")] = None,
    quantity: Annotated[
        int | None,
        typer.Argument(
            parser=whole_number(1, 1_000_000),
            metavar="[QUANTITY]",
            help="So many more; without: back to the opening stock.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add so many pieces of an item, or bring one or all items back to the opening stock."""
    with services() as flow:
        found = flow.restock(item, quantity)
    if as_json:
        show.as_json(found)
    else:
        show.show_stock(found)


@app.command("dead-letters", short_help="List events that could not be handled.")
def dead_letters(
    *,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ID|all]", help="One of them, such as orders:3; all if omitted."),
    ] = None,
    resend: Annotated[
        bool,
        typer.Option("--resend", help="Publish them again; with `all`, those not yet sent again."),
    ] = False,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """List events that orders and approvals could not handle, and why, or send them again."""
    with services() as flow:
        found = _chosen(flow.dead_letters(limit), name)
        if resend:
            found = _resend(flow, found, is_one=name not in (None, ALL))
    if as_json:
        show.as_json(found)
    elif resend:
        for letter in found:
            print(f"{letter.name} was sent again on {clean(letter.topic)}")
        print(f"{len(found)} sent again.")
    else:
        show.show_dead_letters(found)


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
    print(f"Order {clean(order_id)} is {word} by {clean(approver)}{rest}.")


def _chosen(letters: list[DeadLetter], name: str | None) -> list[DeadLetter]:
    if name in (None, ALL):
        return letters
    found = [letter for letter in letters if name in (letter.name, str(letter.id))]
    if len(found) == 1:
        return found
    if found:
        names = " or ".join(letter.name for letter in found)
        raise OrderflowError(f"{name} can be {names}: say which")
    raise OrderflowError(f"there is no dead letter {name}; `orderflow dead-letters` lists them")


def _resend(flow: Orderflow, letters: list[DeadLetter], *, is_one: bool) -> list[DeadLetter]:
    chosen = [letter for letter in letters if is_one or letter.resent_at is None]
    for letter in chosen:
        flow.resend(letter)
    return chosen
