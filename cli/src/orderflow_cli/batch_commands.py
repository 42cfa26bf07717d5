"""Commands about batches."""

import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from orderflow_cli import show
from orderflow_cli.app import ENDED_OTHERWISE, AsJson, app, services
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError, Refusal
from orderflow_cli.order_tracker import NOT_FOUND
from orderflow_cli.submissions import Submission
from orderflow_contracts.batches import Batch
from orderflow_contracts.orders import OrderStatus

LOOK_AGAIN_SECONDS: Final = 0.5
ARRIVAL_SECONDS: Final = 30.0
"""So long a batch that was just published may be in coming."""
MOST_ORDERS: Final = 500

Watch = Annotated[bool, typer.Option("--watch", help="Wait for the end.")]


@app.command(short_help="Show a batch and its orders.")
def batch(
    *,
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="The batch's id.")],
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Show a batch; with --watch, wait for its end: exit code 0 when all completed, else 3."""
    with services() as flow:
        found = wait_for_end(flow, batch_id) if watch else flow.batch(batch_id)
    tell(found, as_json=as_json, watched=watch)


def publish_batch(flow: Orderflow, batch_id: str, submissions: list[Submission]) -> None:
    """Publish all orders as one batch; it is safe to do again after an error."""
    if len(submissions) > MOST_ORDERS:
        raise OrderflowError(
            f"a batch holds at most {MOST_ORDERS} orders, and these are {len(submissions)}; "
            "nothing was published"
        )
    flow.publish_batch(batch_id, [entry.data for entry in submissions])


def wait_for_end(flow: Orderflow, batch_id: str, arrival_seconds: float = 0.0) -> Batch:
    """Wait until a batch has ended, behind a bar; it may be so many seconds in coming."""
    with show.bar("ended", None) as update:
        for found in _looks(flow, batch_id, arrival_seconds):
            ended = sum(count for status, count in found.counts.items() if status.is_final)
            update(completed=ended, total=found.total)
    return found


def tell(found: Batch, *, as_json: bool, watched: bool) -> None:
    """Print a batch; leave with 3 if it was waited for and not all of it was completed."""
    if as_json:
        show.as_json(found)
    else:
        show.show_batch(found)
    if watched and set(found.counts) != {OrderStatus.COMPLETED}:
        raise typer.Exit(ENDED_OTHERWISE)


def _looks(flow: Orderflow, batch_id: str, arrival_seconds: float) -> Iterator[Batch]:
    patience = time.monotonic() + arrival_seconds
    while True:
        try:
            found = flow.batch(batch_id)
        except Refusal as refusal:
            if refusal.status != NOT_FOUND or time.monotonic() > patience:
                raise
        else:
            yield found
            if found.status.is_final:
                return
        time.sleep(LOOK_AGAIN_SECONDS)
