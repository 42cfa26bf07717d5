"""Where a consumer with a new id starts to read: where the reference of topics says it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import yaml

from orderflow_contracts.names import ORDERS_STATUS
from system.newcomer import Newcomer
from system.shop import Shop, new_id, wait_for

READS_EVERYTHING = {"pubsub.redis": True}
"""By the type of the broker: whether a new consumer gets the events from before its start, too."""
STATUSES = 4
"""How many events there are about each order here."""

Place = Callable[[], Awaitable[str]]


@pytest.fixture
def reads_everything(shop: Shop) -> bool:
    """Return what is documented for the broker of the platform."""
    file = shop.platform.settings.run / "components" / "pubsub.yaml"
    return READS_EVERYTHING[yaml.safe_load(file.read_text())["spec"]["type"]]


@pytest.fixture
def place(shop: Shop) -> Place:
    """Place an order, which is completed before its id is returned."""

    async def place() -> str:
        order_id = await asyncio.to_thread(shop.submit)
        await asyncio.to_thread(shop.wait_status, order_id, "completed")
        return order_id

    return place


async def arrived(newcomer: Newcomer, *order_ids: str) -> None:
    """Wait for all events about orders, without blocking the application that gets them."""

    def have_arrived() -> bool:
        return all(newcomer.received.count(order_id) >= STATUSES for order_id in order_ids)

    await asyncio.to_thread(wait_for, "the events", have_arrived)


@pytest.mark.parametrize("changed", ["app id", "consumerID"])
async def test_a_new_id_starts_where_the_reference_says(
    shop: Shop, place: Place, *, reads_everything: bool, changed: str
) -> None:
    """On Redis, it gets all events that the stream still has."""
    former = Newcomer(shop.platform, new_id("former"))
    async with former.reading(ORDERS_STATUS):
        before = await place()
        await arrived(former, before)
    newcomer, component = Newcomer(shop.platform, new_id("newcomer")), dict[str, str]()
    if changed == "consumerID":
        newcomer, component = Newcomer(shop.platform, former.app_id), {"consumerID": new_id("id")}

    async with newcomer.reading(ORDERS_STATUS, **component):
        after = await place()
        await arrived(newcomer, after, *([before] if reads_everything else []))

    assert newcomer.received.count(before) == (STATUSES if reads_everything else 0)


async def test_a_known_id_continues_where_it_stopped(shop: Shop, place: Place) -> None:
    """It gets what was published while it was away, and nothing for a second time."""
    newcomer = Newcomer(shop.platform, new_id("newcomer"))
    async with newcomer.reading(ORDERS_STATUS):
        first = await place()
        await arrived(newcomer, first)
    newcomer.received.clear()
    missed = await place()

    async with newcomer.reading(ORDERS_STATUS):
        last = await place()
        await arrived(newcomer, missed, last)

    assert newcomer.received.count(missed) == STATUSES
    assert first not in newcomer.received
