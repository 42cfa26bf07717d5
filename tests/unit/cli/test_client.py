"""The client library: tracking orders despite problems with the feed."""

import itertools

import pytest

from fakes.shop import Shop
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import ServiceUnreachable, WaitTimedOut
from orderflow_cli.settings import Settings
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted

CARS = OrderSubmitted(order_id="a", customer_id="ada", lines=(OrderLine(item="cars", quantity=11),))
SMALL = OrderSubmitted(order_id="b", customer_id="ada", lines=(OrderLine(item="cars", quantity=1),))
SMALL_STATUSES = ["received", "reserved", "paid", "completed"]


def test_a_published_order_is_followed_to_its_end(settings: Settings) -> None:
    """Every change arrives once and in sequence, with the total as soon as it is known."""
    with Orderflow(settings) as flow:
        flow.publish(SMALL)
        changes = list(flow.follow("b"))

    assert [change.status for change in changes] == SMALL_STATUSES
    assert [change.sequence for change in changes] == [1, 2, 3, 4]
    assert [change.total_cents for change in changes] == [None, *[15_000_00] * 3]


def test_a_feed_opened_before_publishing_yields_the_same_changes(settings: Settings) -> None:
    """The feed alone is enough if it was opened before publishing."""
    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == SMALL_STATUSES


def test_following_stops_at_a_status_and_continues_after_it(settings: Settings, shop: Shop) -> None:
    """`until` and `after` split the changes in two without a gap."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        first = list(flow.follow("a", until={OrderStatus.AWAITING_APPROVAL}))
        shop.decide("a", {"approved": True})
        rest = list(flow.follow("a", after=first[-1].sequence))

    assert [change.status for change in first] == ["received", "reserved", "awaiting_approval"]
    assert [change.status for change in rest] == ["approved", "paid", "completed"]


def test_a_broken_feed_is_reopened_where_it_stopped(settings: Settings, shop: Shop) -> None:
    """No change is lost or repeated when the connection breaks."""
    shop.feed_breaks_after = frozenset({"received", "paid"})

    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == SMALL_STATUSES


def test_a_feed_that_was_reset_is_completed_by_reading_the_order(
    settings: Settings, shop: Shop
) -> None:
    """Changes that the feed no longer sends after a reconnection are found in the order."""
    shop.feed_breaks_after = frozenset({"received"})
    shop.forgets_positions = True

    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))
        shop.feed_breaks_after = frozenset()
        flow.publish(SMALL.model_copy(update={"order_id": "c"}))
        later = list(flow.follow("c", feed=feed))

    assert [change.status for change in changes] == SMALL_STATUSES
    assert [change.status for change in later] == SMALL_STATUSES


def test_a_silent_feed_is_replaced_by_reading_the_order(settings: Settings, shop: Shop) -> None:
    """The order itself is read after a while without changes."""
    shop.hidden = frozenset(SMALL_STATUSES)

    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == SMALL_STATUSES


def test_duplicate_changes_are_yielded_once(settings: Settings, shop: Shop) -> None:
    """A status event may be delivered twice."""
    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(CARS)
        shop.feed.extend(shop.feed[:2])
        shop.decide("a", {"approved": True})
        changes = list(flow.follow("a", feed=feed))

    assert [change.sequence for change in changes] == [1, 2, 3, 4, 5, 6]


def test_a_time_limit_ends_the_wait(settings: Settings) -> None:
    """The error names the order."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        with pytest.raises(WaitTimedOut, match=r"order a did not finish within 0\.2 seconds"):
            list(flow.follow("a", timeout=0.2))


def test_a_caller_may_stop_at_any_change(settings: Settings) -> None:
    """Closing the generator closes the feed."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        changes = flow.follow("a")
        seen = [change.status for change in itertools.islice(changes, 2)]
        changes.close()

    assert seen == ["received", "reserved"]


def test_an_unreachable_feed_fails_immediately() -> None:
    """There are no retries if orders never answered."""
    nowhere = "http://127.0.0.1:1"
    flow = Orderflow(Settings(nowhere, nowhere, nowhere, nowhere))

    with (
        flow,
        pytest.raises(ServiceUnreachable, match="orders does not answer"),
        flow.statuses(),
    ):
        pass
