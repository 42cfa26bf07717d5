"""Signing in and out, in a browser."""

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
def test_a_visitor_sees_only_the_sign_in_page(visitors: Visitors, app: str) -> None:
    """It has no menu, and leads to the requested page after signing in."""
    visitor = visitors()

    visitor.go(app, "/?status=none-of-these")
    visitor.assert_signed_out()
    expect(visitor.page.get_by_role("navigation")).to_have_count(0)
    visitor.forgive_status(422)
    visitor.fill_sign_in(VIEWER, PASSWORD)

    expect(visitor.page).to_have_url(visitor.url(app, "/?status=none-of-these"))


def test_a_wrong_password_is_reported_and_the_name_kept(visitors: Visitors) -> None:
    """The message does not say which of the two was wrong."""
    visitor = visitors()
    visitor.watch.forgive(REFUSED)
    visitor.go(APPROVALS)

    visitor.fill_sign_in(VIEWER, "wrong")

    expect(visitor.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(visitor.page.get_by_label("Name")).to_have_value(VIEWER)
    expect(visitor.page.get_by_label("Password")).to_have_value("")
    visitor.fill_sign_in(VIEWER, PASSWORD)
    expect(visitor.page).to_have_url(visitor.url(APPROVALS))


def test_wrong_passwords_are_throttled(visitors: Visitors) -> None:
    """After five wrong ones even the right one must wait, and the page says how long."""
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
def test_signing_out_ends_the_session_on_the_server(visitors: Visitors, app: str) -> None:
    """A saved cookie is useless, and the back button shows no earlier page."""
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


def test_the_session_cookie_is_hidden_from_scripts_and_other_sites(visitors: Visitors) -> None:
    """No script reads it, other sites' forms do not send it, and each site has its own."""
    visitor = visitors.anew(VIEWER)

    cookies = visitor.context.cookies()

    assert {cookie.get("name") for cookie in cookies} == {
        f"orderflow_{app}_{urlsplit(visitor.url(app)).port}_session" for app in SITES
    }
    assert all(cookie.get("httpOnly") for cookie in cookies)
    assert {cookie.get("sameSite") for cookie in cookies} == {"Lax"}


@pytest.mark.parametrize("app", SITES)
def test_an_open_page_shows_that_the_session_has_ended(visitors: Visitors, app: str) -> None:
    """After signing out in another tab, the open page offers to sign in again."""
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


def test_an_order_form_survives_an_ended_session(
    visitors: Visitors,
) -> None:
    """Signing in leads back to the filled-in form, from which the order is placed."""
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


def test_a_comment_survives_an_ended_session(visitors: Visitors, shop: Shop) -> None:
    """The request's page shows it after signing in, and no live update replaces it."""
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


def test_a_removed_user_sees_no_page(visitors: Visitors, access_file: Path) -> None:
    """A user removed from the access file is signed out and cannot sign in."""
    visitor: Visitor = visitors.anew(LEAVING)
    visitor.watch.forgive(REFUSED)
    visitor.forgive_lost_connection()
    try:
        write_access_file(access_file, without=LEAVING)
        expect_out(visitor)
    finally:
        write_access_file(access_file)


def expect_out(visitor: Visitor) -> None:
    """Check that the site shows no page and accepts no sign-in."""
    visitor.go(ORDERS)
    visitor.assert_signed_out()
    visitor.fill_sign_in(LEAVING, PASSWORD)
    expect(visitor.page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
