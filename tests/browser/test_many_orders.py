"""The board of a shop with thousands of orders."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import OwnPlatform
from browser.many_orders import fill_shop
from browser.people import OPERATOR
from browser.visitors import Visitor, Visitors
from orderflow_contracts.names import ORDERS
from orderflow_tools.platform import Platform

FEW: Final = 300
MANY: Final = 10_000
LOADS: Final = 20
PAGES: Final = (
    "/",
    "/?status=completed",
    "/?item=cars",
    "/?customer=customer+3",
    "/?id=old-00",
    "/board/stock",
)


class Cost(NamedTuple):
    """The cost of a page: its bytes and rows, and the service's CPU time for it."""

    size: int
    rows: int
    cpu_seconds: float


@pytest.fixture
def own(own_platform: OwnPlatform) -> Iterator[Platform]:
    """Run a platform whose tables a test fills."""
    with own_platform() as platform:
        yield platform


def test_the_cost_of_a_page_does_not_grow_with_the_number_of_orders(
    browser: Browser, own: Platform
) -> None:
    """With 10,000 orders, size and CPU time are as with 300."""
    visitors = Visitors(browser, own)
    visitor = visitors(OPERATOR)
    with _client(visitor) as client:
        fill_shop(own, 0, FEW)
        before = {path: _cost(own, client, path) for path in PAGES}
        fill_shop(own, FEW, MANY - FEW)
        after = {path: _cost(own, client, path) for path in PAGES}

    for path in PAGES:
        few, many = before[path], after[path]
        assert many.rows <= few.rows + 1, (path, few, many)
        assert many.size <= few.size * 1.25, (path, few, many)
        # CPU time on a shared machine varies; a cost that grew with orders would rise 30-fold.
        assert many.cpu_seconds <= few.cpu_seconds * 4 + 0.2, (path, few, many)
    _assert_usable(visitor)
    visitors.close()


def _assert_usable(visitor: Visitor) -> None:
    """Use the board, and search for an old order."""
    visitor.go(ORDERS)
    expect(visitor.main).to_contain_text(re.compile(r"3[,.]?33[34]"))  # a third of them completed
    assert visitor.page.get_by_role("link", name=re.compile("^old-")).count() <= 50
    visitor.page.get_by_role("link", name="Next page").click()
    expect(visitor.page.get_by_role("link", name=re.compile("^old-")).first).to_be_visible()
    visitor.go(ORDERS)
    visitor.search("Order ID", "old-000007")
    expect(visitor.page.get_by_role("link", name=re.compile("^old-"))).to_have_text("old-000007")


def _client(visitor: Visitor) -> httpx.Client:
    """Return a client with this visitor's session, without a browser."""
    cookies = {cookie["name"]: cookie["value"] for cookie in visitor.context.cookies()}
    return httpx.Client(cookies=cookies, headers={"accept": "text/html"}, trust_env=False)


def _cost(platform: Platform, client: httpx.Client, path: str) -> Cost:
    url = f"{platform.url(ORDERS)}{path}"
    pid = platform.pid(ORDERS)
    assert pid is not None
    process = psutil.Process(pid)
    response = client.get(url)
    assert response.status_code == 200, (path, response.status_code, response.text)
    before = process.cpu_times()
    for _ in range(LOADS):
        client.get(url)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Cost(len(response.text), response.text.count("<tr"), used / LOADS)
