"""Commands about batches."""

import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from orderflow_cli import show
from orderflow_cli.app import NOT_COMPLETED, AsJson, app, services
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError, RequestRejected
from orderflow_cli.order_tracker import NOT_FOUND
from orderflow_cli.submissions import Submission
from orderflow_contracts.batches import Batch
from orderflow_contracts.orders import OrderStatus

POLL_SECONDS: Final = 0.5
ARRIVAL_SECONDS: Final = 30.0
"""How long a batch that was just published may take to arrive."""
MAX_ORDERS: Final = 500

Watch = Annotated[bool, typer.Option("--watch", help="Wait for the final result.")]


@app.command(short_help="Show a batch and its orders.")
def batch(
    *,
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="The batch ID.")],
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Show a batch. With --watch, wait until it ends: exit code 0 if all completed, else 3."""
    with services() as flow:
        found = wait_for_end(flow, batch_id) if watch else flow.batch(batch_id)
    print_batch(found, as_json=as_json, watched=watch)


def publish_batch(flow: Orderflow, batch_id: str, submissions: list[Submission]) -> None:
    """Publish all orders as one batch; safe to repeat after an error."""
    if len(submissions) > MAX_ORDERS:
        raise OrderflowError(
            f"a batch can have at most {MAX_ORDERS} orders, not {len(submissions)}; nothing was "
            "published"
        )
    flow.publish_batch(batch_id, [entry.data for entry in submissions])


def wait_for_end(flow: Orderflow, batch_id: str, arrival_seconds: float = 0.0) -> Batch:
    """Wait until a batch has ended, with a progress bar; allow some seconds for its arrival."""
    with show.bar("ended", None) as update:
        for found in _poll(flow, batch_id, arrival_seconds):
            ended = sum(count for status, count in found.counts.items() if status.is_final)
            update(completed=ended, total=found.total)
    return found


def print_batch(found: Batch, *, as_json: bool, watched: bool) -> None:
    """Print a batch; exit with code 3 if it was watched and not all orders completed."""
    if as_json:
        show.as_json(found)
    else:
        show.show_batch(found)
    if watched and set(found.counts) != {OrderStatus.COMPLETED}:
        raise typer.Exit(NOT_COMPLETED)


def _poll(flow: Orderflow, batch_id: str, arrival_seconds: float) -> Iterator[Batch]:
    deadline = time.monotonic() + arrival_seconds
    while True:
        try:
            found = flow.batch(batch_id)
        except RequestRejected as rejection:
            if rejection.status != NOT_FOUND or time.monotonic() > deadline:
                raise
        else:
            yield found
            if found.status.is_final:
                return
        time.sleep(POLL_SECONDS)
