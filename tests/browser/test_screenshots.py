"""Screenshots of the main pages, as shown in the documents.

With ORDERFLOW_SCREENSHOTS=docs/images they are written there, otherwise to a temporary folder.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from playwright.sync_api import Browser, expect

from browser.conftest import isolated
from browser.people import MANAGER
from browser.visitors import Visitor, Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform
from system.shop import Shop

VARIABLE: Final = "ORDERFLOW_SCREENSHOTS"
LARGEST: Final = 200_000
"""Maximum size of a screenshot in bytes."""
DESK: Final = {"width": 1280, "height": 860}
PHONE: Final = {"width": 390, "height": 844}


class Picture(NamedTuple):
    """A screenshot to take."""

    name: str
    app: str
    path: str
    scheme: str = "light"
    on_phone: bool = False


PICTURES: Final = (
    Picture("inbox", APPROVALS, "/"),
    Picture("inbox-dark", APPROVALS, "/", "dark"),
    Picture("inbox-phone", APPROVALS, "/", on_phone=True),
    Picture("board", ORDERS, "/"),
    Picture("board-dark", ORDERS, "/", "dark"),
    Picture("order", ORDERS, "/board/orders/spring-fleet"),
    Picture("stock", ORDERS, "/board/stock"),
    Picture("workflow", ORDERS, "/board/workflows/spring-fleet"),
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, access_file: Path) -> Iterator[Platform]:
    """Run a shop after a good day."""
    settings = isolated(tmp_path_factory.mktemp("shown"), access_file)
    with Platform(settings) as platform:
        with closing(Shop(platform)) as shop:
            _fill(shop)
        yield platform


@pytest.fixture(scope="module")
def manager(browser: Browser, shown: Platform) -> Iterator[Visitors]:
    """Sign in a visitor with all roles."""
    visitors = Visitors(browser, shown)
    yield visitors
    visitors.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the screenshots."""
    return Path(os.environ.get(VARIABLE) or tmp_path)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_main_page_has_content_and_a_small_screenshot(
    manager: Visitors, folder: Path, picture: Picture
) -> None:
    """The screenshot is small enough to be committed."""
    size = PHONE if picture.on_phone else DESK
    visitor = manager(MANAGER, viewport=size, color_scheme=picture.scheme, reduced_motion="reduce")
    visitor.go(picture.app, picture.path)
    _assert_filled(visitor)

    file = folder / f"{picture.name}.png"
    visitor.page.screenshot(path=file, animations="disabled")

    assert file.stat().st_size <= LARGEST
    visitor.page.close()


def _assert_filled(visitor: Visitor) -> None:
    expect(visitor.heading).to_be_visible()
    expect(visitor.main.locator("article, table, ol").first).to_be_visible()
    expect(visitor.main.locator("time:not([data-local])")).to_have_count(0)


def _fill(shop: Shop) -> None:
    """Create a day of orders: most complete, some do not."""
    _finished(shop, "pens-for-school", "Hill School", "paperclip", 40)
    _finished(shop, "desk-refresh", "Norma Design", "computers", 12)
    _large(shop, "spring-fleet", "Rio Motors", "cars", 9)
    shop.decide("spring-fleet", approved=True, comment="As agreed in March.")
    shop.wait_status("spring-fleet", "completed")
    _large(shop, "one-too-many", "Vega Rentals", "cars", 30)
    shop.decide("one-too-many", approved=False, comment="Ask again next quarter.")
    shop.wait_status("one-too-many", "rejected")
    _finished(shop, "no-such-thing", "Vega Rentals", "unicorn", 1)
    _finished(shop, "labels", "Hill School", "paperclip", 5)
    _large(shop, "autumn-fleet", "Rio Motors", "cars", 11)
    _large(shop, "field-work", "Ostwald Institute", "cars", 7)
    _large(shop, "taxi-pool", "Vega Rentals", "cars", 4)
    _finished(shop, "clips", "Norma Design", "paperclip", 8)


def _submit(shop: Shop, order_id: str, customer: str, item: str, quantity: int) -> None:
    shop.submit_until_accepted(shop.order_data(order_id, item, quantity, customer))


def _finished(shop: Shop, order_id: str, customer: str, item: str, quantity: int) -> None:
    _submit(shop, order_id, customer, item, quantity)
    shop.wait_final(order_id)


def _large(shop: Shop, order_id: str, customer: str, item: str, quantity: int) -> None:
    _submit(shop, order_id, customer, item, quantity)
    shop.wait_approval(order_id, "pending")
