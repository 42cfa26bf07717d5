"""Clients of the feed on the real platform that ask for a position it does not have."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest

from system.shop import Shop

Event = tuple[str, str, dict[str, Any]]


@contextmanager
def following(shop: Shop, *last: str, after: str | None = None) -> Iterator[Iterator[Event]]:
    """Open the feed with these `Last-Event-ID` headers; yield its events as id, name and data."""
    headers = [("Last-Event-ID", each) for each in last]
    query = {} if after is None else {"after": after}
    with shop.http.stream(
        "GET", shop.url("orders", "/orders/stream"), headers=headers, params=query
    ) as response:
        assert response.status_code == 200
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def order_of(shop: Shop, events: Iterator[Event]) -> list[tuple[str, str]]:
    """Submit an order; return the names and statuses of the next events, which must be about it."""
    order_id = shop.submit()
    found = [next(events) for _ in range(4)]
    assert {data["order_id"] for _, _, data in found} == {order_id}
    return [(name, data["status"]) for _, name, data in found]


STATUSES = [("orders.status", status) for status in ("received", "reserved", "paid", "completed")]


@pytest.mark.parametrize("own_shop", [{}], indirect=True)
def test_a_feed_that_cannot_resume_says_so_and_continues(own_shop: Shop) -> None:
    """New changes follow each reset at once, and whatever is still stored follows a removal."""
    shop = own_shop
    with following(shop) as events:
        assert order_of(shop, events) == STATUSES
    for last in (["x"], ["-1"], [""], ["9" * 5000], ["1", "1"]):
        with following(shop, *last) as events:
            _, name, reset = next(events)
            assert (name, reset["reason"]) == ("reset", "unreadable"), last
            assert order_of(shop, events) == STATUSES
    with following(shop, after="\u0661") as events:
        assert next(events)[2]["reason"] == "unreadable"
        assert order_of(shop, events) == STATUSES
    with following(shop, "100000") as events:
        reset_id, name, reset = next(events)
        assert (name, reset["reason"], reset["position"]) == ("reset", "beyond_end", int(reset_id))
        assert order_of(shop, events) == STATUSES
    with following(shop, reset_id) as events:
        missed = [next(events) for _ in range(4)]
        assert [(name, data["status"]) for _, name, data in missed] == STATUSES
        assert order_of(shop, events) == STATUSES
    remove_through(shop, int(reset_id))
    with following(shop, "1") as events:
        removed_id, name, reset = next(events)
        assert (removed_id, name, reset["reason"]) == (reset_id, "reset", "removed")
        assert [next(events) for _ in range(4)] == missed


def remove_through(shop: Shop, position: int) -> None:
    """Remove the status changes up to a position, as a retention would."""
    path = shop.platform.settings.home / "data/orders.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM order_statuses WHERE position <= ?", (position,))
