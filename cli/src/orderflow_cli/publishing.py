"""Publishing many orders at once, and waiting for how they end."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.reading import Submission
from orderflow_contracts.orders import OrderStatusChanged

IN_FLIGHT: Final = 16


def publish_all(
    flow: Orderflow,
    submissions: Sequence[Submission],
    published: Callable[[Submission], None],
    in_flight: int = IN_FLIGHT,
) -> None:
    """Publish so many at a time, and tell of each that the broker has.

    The first failure stops the rest; it tells how many were published.
    """
    done = 0
    with ThreadPoolExecutor(in_flight, thread_name_prefix="publish") as pool:
        futures = {pool.submit(_publish, flow, entry): entry for entry in submissions}
        try:
            for future in as_completed(futures):
                future.result()
                done += 1
                published(futures[future])
        except OrderflowError as error:
            pool.shutdown(cancel_futures=True)
            raise OrderflowError(
                f"{error}\n{done} of {len(submissions)} orders are known to be published; to "
                "publish all of them again does no harm where they carry their own order_id"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _publish(flow: Orderflow, submission: Submission) -> None:
    subject = submission.event_id if isinstance(submission.data, dict) else None
    flow.publish_data(submission.data, event_id=submission.event_id, subject=subject)


def endings(changes: Iterator[OrderStatusChanged]) -> Iterator[OrderStatusChanged]:
    """Keep the final changes only."""
    return (change for change in changes if change.status.is_final)


def summary(ended: Sequence[OrderStatusChanged], seconds: float) -> str:
    """Say in a line how many ended how."""
    counts = Counter(
        f"{change.status} ({change.reason})" if change.reason else str(change.status)
        for change in ended
    )
    told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    return f"{told} in {seconds:.1f} s" if told else "no order ended"
