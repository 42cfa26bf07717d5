"""A person with a browser, who signs in and uses the pages of both sites."""

import re
from contextlib import ExitStack
from typing import Any, Final, Self

from playwright.sync_api import Browser, Dialog, Locator, Response, expect

from browser.people import PASSWORD
from browser.watching import Watch
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform
from orderflow_tools.settings import APPS

SITES: Final = (ORDERS, APPROVALS)
PATIENCE: Final = 30_000
"""Timeout of waits in milliseconds, generous for a busy machine."""
DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 740}


class Visitor:
    """A separate browser (cookies and all) with one open page."""

    def __init__(self, browser: Browser, platform: Platform, **options: Any) -> None:
        self.platform = platform
        options = {"viewport": DESK, "locale": "en-US", "timezone_id": "UTC", **options}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.watch = Watch(self.context, tuple(f"{platform.url(app)}/" for app in APPS))
        self.dialogs: list[str] = []
        self.context.on("dialog", self._dialog)
        self.page = self.context.new_page()

    def url(self, app: str, path: str = "/") -> str:
        """Return the URL of a site's page."""
        return f"{self.platform.url(app)}{path}"

    def go(self, app: str, path: str = "/") -> Response:
        """Open a page, and return the last response after redirects."""
        response = self.page.goto(self.url(app, path))
        assert response is not None
        return response

    def sign_in(self, name: str, *apps: str) -> Self:
        """Sign in at these sites (default: both), and end on the first page of the last."""
        for app in apps or SITES:
            self.go(app)
            self.assert_signed_out()
            self.fill_sign_in(name, PASSWORD)
            expect(self.page).to_have_url(self.url(app))
        return self

    def fill_sign_in(self, name: str, password: str) -> None:
        """Fill in and submit the sign-in form."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def assert_signed_out(self) -> None:
        """Check that the page asks to sign in."""
        expect(self.page).to_have_url(re.compile(r"^http://[^/]+/sign-in(\?|$)"))
        expect(self.heading).to_have_text("Sign in")

    def forgive_status(self, *statuses: int) -> None:
        """Expect responses with these statuses, which the browser reports as errors."""
        for status in statuses:
            self.watch.forgive(rf"Failed to load resource: .* status of {status} ")

    def forgive_lost_connection(self) -> None:
        """Expect that a service does not answer, or that it no longer answers this visitor."""
        self.watch.forgive(r"Failed to load resource: net::ERR_")
        self.watch.forgive(r"EventSource's response has a MIME type")
        self.watch.forgive(r"console error: (\[object Event\]|htmx:)")  # htmx logs it

    @property
    def main(self) -> Locator:
        """The page's own content, without menu and footer."""
        return self.page.get_by_role("main")

    @property
    def heading(self) -> Locator:
        """The heading of the page."""
        return self.page.get_by_role("heading", level=1)

    @property
    def outcome(self) -> Locator:
        """The element that shows the outcome of an action."""
        return self.page.locator("#outcome")

    @property
    def status(self) -> Locator:
        """The status shown on an order's page."""
        return self.main.locator(".state .badge")

    def card(self, order_id: str) -> Locator:
        """Find the request of an order in the inbox."""
        return self.page.get_by_role("article", name=order_id)

    def chip(self, status: str) -> Locator:
        """Return the chip of a status on the board, with its number of orders."""
        orders_by_status = self.page.get_by_role("navigation", name="Orders by status")
        return orders_by_status.get_by_role("link", name=status)

    def count(self, chip: Locator) -> int:
        """Return the number of orders in a status."""
        return int(chip.locator("strong").inner_text().replace(",", ""))

    def search(self, label: str, text: str) -> None:
        """Search the board by a field."""
        field = self.page.get_by_label(label)
        if not field.is_visible():
            self.main.locator("details.search summary").click()
        field.fill(text)
        field.press("Enter")

    def place(self, order_id: str, customer: str, item: str, pieces: object) -> None:
        """Fill in and submit the form of a new order."""
        self.page.get_by_label("Order ID").fill(order_id)
        self.page.get_by_label("Customer").fill(customer)
        self.page.get_by_label("Item").first.fill(item)
        self.page.get_by_label("Quantity").first.fill(str(pieces))
        self.page.get_by_role("button", name="Place order").click()

    def stay(self) -> None:
        """Mark this page, to notice later whether it was reloaded."""
        self.page.evaluate("() => { window.stayed = true; }")

    def assert_stayed(self) -> None:
        """Check that the page was not reloaded since it was marked."""
        assert self.page.evaluate("() => window.stayed === true"), "the page was loaded again"

    def assert_signed_in(self, app: str, name: str) -> None:
        """Check who is signed in on a page of a site."""
        expect(self.page).to_have_url(re.compile(f"^{re.escape(self.url(app))}"))
        expect(self.page.get_by_role("banner")).to_contain_text(name)

    def close(self) -> None:
        """Close the browser, and fail if a page had a fault or contacted another host."""
        self.context.close()
        assert not self.watch.complaints, self.watch.complaints

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()


class Visitors:
    """Makes visitors, and closes them all.

    A user who has signed in once keeps that session: checking a password is slow on purpose.
    """

    def __init__(self, browser: Browser, platform: Platform) -> None:
        self._browser = browser
        self._platform = platform
        self._sessions: dict[str, Any] = {}
        self._closing = ExitStack()

    def __call__(self, name: str | None = None, **options: Any) -> Visitor:
        """Make a visitor, signed in at both sites under this name if there is one."""
        if name is None:
            return self._open(**options)
        if name not in self._sessions:
            self._sessions[name] = self.anew(name).context.storage_state()
        return self._open(storage_state=self._sessions[name], **options)

    def anew(self, name: str, **options: Any) -> Visitor:
        """Make a visitor with a separate session, which a test may end."""
        return self._open(**options).sign_in(name)

    def close(self) -> None:
        """Close them all, and fail if one of their pages had a fault."""
        self._closing.close()

    def _open(self, **options: Any) -> Visitor:
        visitor = Visitor(self._browser, self._platform, **options)
        self._closing.callback(visitor.close)
        return visitor
