"""Accessibility of each page."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.accessibility import assert_accessible
from browser.lively import Lively
from browser.people import MANAGER
from browser.visitors import PHONE, SITES, Visitors
from orderflow_contracts.names import APPROVALS

SCHEMES = ("light", "dark")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_fault_on_any_page(visitors: Visitors, lively: Lively, scheme: str) -> None:
    """In light and dark mode, each page follows the guidelines and best practices."""
    visitor = visitors(MANAGER, color_scheme=scheme)
    for page in lively.pages:
        response = visitor.go(page.app, page.path)
        assert response.status == 200, page
        assert_accessible(visitor.page, f"{page} ({scheme})")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_fault_on_sign_in_and_error_pages(visitors: Visitors, scheme: str) -> None:
    """This includes the sign-in page after a wrong password."""
    visitor = visitors(color_scheme=scheme)
    visitor.forgive_status(401, 404)
    for app in SITES:
        visitor.go(app)
        assert_accessible(visitor.page, f"sign-in of {app}")
        visitor.fill_sign_in("nobody", "wrong")
        expect(visitor.page.get_by_role("alert")).to_be_visible()
        assert_accessible(visitor.page, f"sign-in of {app}, refused")
    visitor.sign_in(MANAGER)
    visitor.go(APPROVALS, "/inbox/requests/no-such-order")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Not found")
    assert_accessible(visitor.page, "a request that is not there")


def test_each_page_has_heading_title_language_and_landmarks(
    visitors: Visitors, lively: Lively
) -> None:
    """A page has one first-level heading, which is also in its title."""
    visitor = visitors(MANAGER)
    for page in lively.pages:
        visitor.go(page.app, page.path)
        heading = visitor.page.get_by_role("heading", level=1)
        expect(heading).to_have_count(1)
        expect(heading).to_contain_text(page.heading)
        expect(visitor.page).to_have_title(re.compile(r".+ · Orderflow$"))
        expect(visitor.page.locator("html")).to_have_attribute("lang", "en")
        for landmark in ("banner", "main"):
            expect(visitor.page.get_by_role(landmark)).to_have_count(1)


def test_each_page_fits_on_a_phone(visitors: Visitors, lively: Lively) -> None:
    """At 360 pixels nothing is cut off or scrolls sideways, and axe finds no fault."""
    visitor = visitors(MANAGER, viewport=PHONE, has_touch=True, is_mobile=True)
    for page in lively.pages:
        visitor.go(page.app, page.path)
        too_wide = _too_wide(visitor.page)
        assert not too_wide, (page, too_wide)
        assert_accessible(visitor.page, f"{page} on a phone")


def _too_wide(page: Page) -> list[str]:
    """Return the elements beyond the right edge, except in boxes that scroll."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const scrolls = (e) => e && e !== document.documentElement && (
                ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)
                || scrolls(e.parentElement));
            return [...document.querySelectorAll("body, body *")]
                .filter((e) => e.getBoundingClientRect().right > width + 1)
                .filter((e) => e.checkVisibility() && !scrolls(e.parentElement))
                .map((e) => e.outerHTML.slice(0, 150))
                .concat(document.documentElement.scrollWidth > width ? ["the page scrolls"] : []);
        }"""
    )
    return found
