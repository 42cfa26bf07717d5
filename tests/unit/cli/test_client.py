"""The client that others use: following orders through whatever happens to the feed."""

import itertools

import pytest

from fakes.shop import Shop
from orderflow_cli.client import Orderflow
from orderflow_cli.errors import NotInTime, ServiceUnreachable
from orderflow_cli.settings import Settings
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted

CARS = OrderSubmitted(order_id="a", customer_id="ada", lines=(OrderLine(item="cars", quantity=11),))
SMALL = OrderSubmitted(order_id="b", customer_id="ada", lines=(OrderLine(item="cars", quantity=1),))
WAY_OF_SMALL = ["received", "reserved", "paid", "completed"]


def test_a_published_order_is_followed_to_its_end(settings: Settings) -> None:
    """Every change comes once and in turn, with the total as soon as it is known."""
    with Orderflow(settings) as flow:
        flow.publish(SMALL)
        changes = list(flow.follow("b"))

    assert [change.status for change in changes] == WAY_OF_SMALL
    assert [change.sequence for change in changes] == [1, 2, 3, 4]
    assert [change.total_cents for change in changes] == [None, *[15_000_00] * 3]


def test_a_feed_that_was_open_before_tells_the_same(settings: Settings) -> None:
    """Opened before publishing, the feed alone is enough."""
    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == WAY_OF_SMALL


def test_following_stops_at_a_status_and_goes_on_after_it(settings: Settings, shop: Shop) -> None:
    """`until` and `after` cut the way in two without a gap."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        first = list(flow.follow("a", until={OrderStatus.AWAITING_APPROVAL}))
        shop.decide("a", {"approved": True})
        rest = list(flow.follow("a", after=first[-1].sequence))

    assert [change.status for change in first] == ["received", "reserved", "awaiting_approval"]
    assert [change.status for change in rest] == ["approved", "paid", "completed"]


def test_a_feed_that_breaks_is_opened_again_where_it_was(settings: Settings, shop: Shop) -> None:
    """Nothing is lost or told twice when the connection ends on the way."""
    shop.feed_breaks_after = frozenset({"received", "paid"})

    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == WAY_OF_SMALL


def test_a_feed_that_tells_nothing_is_made_up_for_by_the_order(
    settings: Settings, shop: Shop
) -> None:
    """After a while without news the order itself is read."""
    shop.hidden = frozenset(WAY_OF_SMALL)

    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(SMALL)
        changes = list(flow.follow("b", feed=feed))

    assert [change.status for change in changes] == WAY_OF_SMALL


def test_changes_that_come_twice_are_told_once(settings: Settings, shop: Shop) -> None:
    """A status event may be delivered twice."""
    with Orderflow(settings) as flow, flow.statuses() as feed:
        flow.publish(CARS)
        shop.feed.extend(shop.feed[:2])
        shop.decide("a", {"approved": True})
        changes = list(flow.follow("a", feed=feed))

    assert [change.sequence for change in changes] == [1, 2, 3, 4, 5, 6]


def test_a_time_limit_ends_the_wait(settings: Settings) -> None:
    """The error says which order was waited for."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        with pytest.raises(NotInTime, match=r"order a did not come as far within 0\.2 seconds"):
            list(flow.follow("a", timeout=0.2))


def test_a_caller_may_leave_at_any_change(settings: Settings) -> None:
    """Whoever has seen enough stops, and the feed is closed."""
    with Orderflow(settings) as flow:
        flow.publish(CARS)
        changes = flow.follow("a")
        seen = [change.status for change in itertools.islice(changes, 2)]
        changes.close()

    assert seen == ["received", "reserved"]


def test_a_feed_of_nobody_fails_at_once() -> None:
    """Where orders is not there, there is nothing to be patient about."""
    nowhere = "http://127.0.0.1:1"
    flow = Orderflow(Settings(nowhere, nowhere, nowhere, nowhere))

    with (
        flow,
        pytest.raises(ServiceUnreachable, match="orders does not answer"),
        flow.statuses(),
    ):
        pass
