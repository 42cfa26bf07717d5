"""Times in the reader's time zone."""

import re
from datetime import datetime

from playwright.sync_api import Locator, expect

from browser.people import MANAGER
from browser.visitors import Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop

INDIA = "Asia/Kolkata"
NEPAL = "Asia/Kathmandu"


def _read(time: Locator) -> datetime:
    text = time.inner_text().replace("\u202f", " ")
    return datetime.strptime(text, "%b %d, %Y, %I:%M:%S %p")  # noqa: DTZ007 # as it is shown


def test_searching_for_a_shown_time_finds_its_entry(visitors: Visitors, shop: Shop) -> None:
    """It works in a half-hour time zone, and the search's URL means the same in every zone."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    shop.decide(order_id, approved=False)
    reader, elsewhere = (visitors(MANAGER, timezone_id=zone) for zone in (INDIA, NEPAL))
    reader.go(ORDERS)
    row = reader.page.locator(f"#order-{order_id}")
    shown = _read(row.locator("[data-label=Placed] time"))
    reader.main.locator("details.search summary").click()
    for label in ("Placed from", "Placed until"):
        reader.page.get_by_label(label).fill(shown.isoformat())
    reader.page.get_by_role("button", name="Search").click()

    expect(row).to_be_visible()
    zone = reader.page.locator("[data-zone-name]").first  # browsers call it Asia/Calcutta, too
    expect(zone).to_have_text(re.compile("^Asia/"))

    elsewhere.page.goto(reader.page.url)
    row = elsewhere.page.locator(f"#order-{order_id}")
    expect(row).to_be_visible()
    there = _read(row.locator("[data-label=Placed] time")).isoformat()
    expect(elsewhere.page.get_by_label("Placed from")).to_have_value(there)
    elsewhere.page.get_by_role("button", name="Search").click()
    expect(row).to_be_visible()

    reader.go(APPROVALS, "/inbox/decided")
    decided = reader.page.get_by_role("row").filter(has_text=order_id)
    day = _read(decided.locator("[data-label=Time] time")).date().isoformat()
    for label in ("From", "To"):
        reader.page.get_by_label(label, exact=True).fill(day)
    reader.page.get_by_role("button", name="Search").click()
    expect(decided).to_be_visible()
