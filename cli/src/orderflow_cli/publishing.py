"""Publishes many orders concurrently, and summarizes their outcomes."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.submissions import Submission
from orderflow_contracts.orders import OrderStatusChanged

IN_FLIGHT: Final = 16


def publish_all(
    flow: Orderflow,
    submissions: Sequence[Submission],
    published: Callable[[Submission], None],
    in_flight: int = IN_FLIGHT,
) -> None:
    """Publish orders with `in_flight` threads, and call `published` for each acknowledged one.

    The first failure cancels the rest; the error says how many were published.
    """
    done = 0
    waiting: deque[tuple[Future[None], Submission]] = deque()
    with ThreadPoolExecutor(in_flight, thread_name_prefix="publish") as pool:
        try:
            for entry in submissions:
                # Queue only a few: there may be very many.
                while len(waiting) >= 2 * in_flight:
                    _settle_oldest(waiting, published)
                    done += 1
                waiting.append((pool.submit(_publish, flow, entry), entry))
            while waiting:
                _settle_oldest(waiting, published)
                done += 1
        except OrderflowError as error:
            pool.shutdown(cancel_futures=True)
            done += sum(not each.cancelled() and each.exception() is None for each, _ in waiting)
            raise OrderflowError(
                f"{error}\n{done} of {len(submissions)} orders are known to be published; it is "
                "safe to publish all of them again if they have their own order_id"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _settle_oldest(
    waiting: deque[tuple[Future[None], Submission]], published: Callable[[Submission], None]
) -> None:
    """Wait for the oldest publication, and report it."""
    future, entry = waiting.popleft()
    future.result()
    published(entry)


def _publish(flow: Orderflow, submission: Submission) -> None:
    subject = submission.event_id if submission.is_object else None
    flow.publish_data(submission.data, event_id=submission.event_id, subject=subject)


def outcomes(
    changes: Iterable[OrderStatusChanged], progress: Callable[[int], None]
) -> list[OrderStatusChanged]:
    """Return the last final change of each order; report how many have ended so far.

    The rejection of an invalid submission is not the last one if a valid submission came after it.
    """
    ended: dict[str, OrderStatusChanged] = {}
    for change in changes:
        if change.status.is_final:
            ended[change.order_id] = change
            progress(len(ended))
    return list(ended.values())


def summary(ended: Sequence[OrderStatusChanged], seconds: float) -> str:
    """Return a line with the number of orders per outcome."""
    counts = Counter(
        f"{change.status} ({change.reason})" if change.reason else str(change.status)
        for change in ended
    )
    outcomes = ", ".join(f"{count} {what}" for what, count in counts.most_common())
    return f"{outcomes} in {seconds:.1f} s" if outcomes else "no orders ended"
