"""Signing in and out, as someone with a browser goes through it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from browser.people import (
    APPROVER,
    FORGETFUL,
    LEAVING,
    OPERATOR,
    PASSWORD,
    VIEWER,
    write_access_file,
)
from browser.visitors import SITES, Visitor, Visitors
from orderflow_contracts.names import APPROVALS, ORDERS
from system.shop import Shop

REFUSED = r"responded with a status of (401|429)"


@pytest.mark.parametrize("app", SITES)
def test_who_is_not_signed_in_sees_the_sign_in_alone(visitors: Visitors, app: str) -> None:
    """A page leads to the sign-in, without a menu, and to that page after it."""
    visitor = visitors()

    visitor.go(app, "/?status=none-of-these")
    visitor.assert_signed_out()
    expect(visitor.page.get_by_role("navigation")).to_have_count(0)
    visitor.forgive_status(422)
    visitor.fill_sign_in(VIEWER, PASSWORD)

    expect(visitor.page).to_have_url(visitor.url(app, "/?status=none-of-these"))


def test_a_wrong_password_is_told_and_the_name_is_kept(visitors: Visitors) -> None:
    """Whoever mistyped tries again at once; it is not told which of the two was wrong."""
    visitor = visitors()
    visitor.watch.forgive(REFUSED)
    visitor.go(APPROVALS)

    visitor.fill_sign_in(VIEWER, "wrong")

    expect(visitor.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(visitor.page.get_by_label("Name")).to_have_value(VIEWER)
    expect(visitor.page.get_by_label("Password")).to_have_value("")
    visitor.fill_sign_in(VIEWER, PASSWORD)
    expect(visitor.page).to_have_url(visitor.url(APPROVALS))


def test_wrong_passwords_are_slowed_down(visitors: Visitors) -> None:
    """After five wrong ones the right one must wait too, and the page says how long."""
    visitor = visitors()
    visitor.watch.forgive(REFUSED)
    visitor.go(APPROVALS)
    for _ in range(5):
        visitor.fill_sign_in(FORGETFUL, "wrong")
        expect(visitor.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")

    with visitor.page.expect_response("**/sign-in") as answer:
        visitor.fill_sign_in(FORGETFUL, PASSWORD)

    assert answer.value.status == 429
    assert 0 < int(answer.value.headers["retry-after"]) <= 60
    expect(visitor.page.get_by_role("alert")).to_have_text(
        re.compile(r"^Too many attempts\. Wait \d+ seconds, then try again\.$")
    )


@pytest.mark.parametrize("app", SITES)
def test_signing_out_ends_the_session_itself(visitors: Visitors, app: str) -> None:
    """Whoever kept the cookie gets nothing for it, and the way back shows no page of before."""
    visitor = visitors.anew(VIEWER)
    visitor.go(app)
    cookies = visitor.context.cookies()

    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.assert_signed_out()
    visitor.page.go_back()
    visitor.assert_signed_out()
    visitor.context.add_cookies(cookies)  # type: ignore[arg-type] # what was read can be written
    visitor.go(app)

    visitor.assert_signed_out()


def test_the_session_cookie_is_kept_from_scripts_and_from_other_sites(visitors: Visitors) -> None:
    """No script reads it, no other site's form carries it, and each site has its own."""
    visitor = visitors.anew(VIEWER)

    cookies = visitor.context.cookies()

    assert {cookie.get("name") for cookie in cookies} == {
        f"orderflow_{app}_{urlsplit(visitor.url(app)).port}_session" for app in SITES
    }
    assert all(cookie.get("httpOnly") for cookie in cookies)
    assert {cookie.get("sameSite") for cookie in cookies} == {"Lax"}


@pytest.mark.parametrize("app", SITES)
def test_an_open_page_says_that_one_is_signed_out(visitors: Visitors, app: str) -> None:
    """Signed out in another tab, the open page says so by itself and offers to sign in again."""
    visitor = visitors.anew(VIEWER)
    visitor.forgive_lost_connection()
    visitor.go(app)
    other = visitor.context.new_page()
    other.goto(visitor.url(app))

    other.get_by_role("button", name="Sign out").click()

    banner = visitor.page.get_by_text("You are signed out.")
    expect(banner).to_be_visible(timeout=40_000)
    visitor.page.get_by_role("link", name="Sign in again").click()
    visitor.assert_signed_out()


def test_an_order_that_is_sent_after_the_session_ended_stays_in_its_form(
    visitors: Visitors,
) -> None:
    """It leads to the sign-in and back to the form, and is placed when it is sent from there."""
    visitor = visitors(OPERATOR)
    visitor.forgive_status(401, 404)
    visitor.go(ORDERS, "/board/new-order")
    visitor.context.clear_cookies()

    visitor.place("after-the-end", "nobody", "paperclip", 1)
    expect(visitor.heading).to_have_text("Sign in")
    visitor.fill_sign_in(OPERATOR, PASSWORD)

    expect(visitor.page.get_by_label("Customer")).to_have_value("nobody")
    expect(visitor.page).to_have_url(visitor.url(ORDERS, "/board/new-order"))
    order = visitor.url(ORDERS, "/board/orders/after-the-end")
    assert visitor.context.request.get(order).status == 404
    visitor.page.get_by_role("button", name="Place order").click()
    expect(visitor.page).to_have_url(f"{order}?done=placed")


def test_a_comment_outlives_its_session(visitors: Visitors, shop: Shop) -> None:
    """It stands on the request's page after signing in, and no live change replaces it."""
    order_id, comment = shop.submit("cars", 4), "A long thought,\nwritten slowly."
    shop.wait_approval(order_id, "pending")
    visitor = visitors(APPROVER)
    visitor.forgive_status(401)
    visitor.forgive_lost_connection()
    visitor.go(APPROVALS)
    visitor.card(order_id).get_by_label("Comment").fill(comment)
    visitor.context.clear_cookies()

    visitor.card(order_id).get_by_role("button", name="Approve").click()
    expect(visitor.heading).to_have_text("Sign in")
    visitor.fill_sign_in(APPROVER, PASSWORD)
    typed = visitor.page.get_by_label("Comment")
    expect(typed).to_have_value(comment)
    with visitor.page.expect_response(f"**/inbox/requests/{order_id}"):
        shop.submit("cars", 4)

    expect(typed).to_have_value(comment)
    visitor.page.get_by_role("button", name="Approve").click()
    expect(visitor.outcome).to_contain_text("You approved it.")


def test_a_user_who_is_removed_is_out_at_once(visitors: Visitors, access_file: Path) -> None:
    """Whoever is taken out of the access file sees no page any more, signed in or not."""
    visitor: Visitor = visitors.anew(LEAVING)
    visitor.watch.forgive(REFUSED)
    visitor.forgive_lost_connection()
    try:
        write_access_file(access_file, without=LEAVING)
        expect_out(visitor)
    finally:
        write_access_file(access_file)


def expect_out(visitor: Visitor) -> None:
    """Check that the site neither shows a page nor signs in again."""
    visitor.go(ORDERS)
    visitor.assert_signed_out()
    visitor.fill_sign_in(LEAVING, PASSWORD)
    expect(visitor.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
