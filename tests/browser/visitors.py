"""Somebody with a browser, who signs in and looks at the pages of both sites."""

import re
from contextlib import ExitStack
from typing import Any, Final, Self

from playwright.sync_api import Browser, Locator, Response, expect

from browser.people import PASSWORD
from browser.watching import Watch
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform

SITES: Final = (ORDERS, APPROVALS)
PATIENCE: Final = 30_000
"""Milliseconds that a page is waited for: what is awaited comes at once, on a machine at rest."""
DESK: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 360, "height": 740}


class Visitor:
    """One browser of its own (cookies and all), with one page open."""

    def __init__(self, browser: Browser, platform: Platform, **options: Any) -> None:
        self.platform = platform
        options = {"viewport": DESK, "locale": "en-US", "timezone_id": "UTC", **options}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.watch = Watch(self.context, tuple(f"{platform.url(app)}/" for app in SITES))
        self.page = self.context.new_page()

    def url(self, app: str, path: str = "/") -> str:
        """Name a page of a site."""
        return f"{self.platform.url(app)}{path}"

    def go(self, app: str, path: str = "/") -> Response:
        """Open a page, and return the last answer on the way to it."""
        response = self.page.goto(self.url(app, path))
        assert response is not None
        return response

    def sign_in(self, name: str, *apps: str) -> Self:
        """Sign in at the sites (both, if none is named), and end on the first page of the last."""
        for app in apps or SITES:
            self.go(app)
            self.assert_signed_out()
            self.fill_sign_in(name, PASSWORD)
            expect(self.page).to_have_url(self.url(app))
        return self

    def fill_sign_in(self, name: str, password: str) -> None:
        """Fill in the form of the sign-in, and send it."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def assert_signed_out(self) -> None:
        """Check that the page asks to sign in."""
        expect(self.page).to_have_url(re.compile(r"^http://[^/]+/sign-in(\?|$)"))
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Sign in")

    @property
    def main(self) -> Locator:
        """The page without what all pages have."""
        return self.page.get_by_role("main")

    def close(self) -> None:
        """Close the browser, and fail if a page complained or asked another host."""
        self.context.close()
        assert not self.watch.complaints, self.watch.complaints


class Visitors:
    """Makes visitors, and closes them all."""

    def __init__(self, browser: Browser, platform: Platform) -> None:
        self._browser = browser
        self._platform = platform
        self._closing = ExitStack()

    def __call__(self, name: str | None = None, **options: Any) -> Visitor:
        """Bring somebody in, signed in at both sites under this name, if there is one."""
        visitor = Visitor(self._browser, self._platform, **options)
        self._closing.callback(visitor.close)
        return visitor.sign_in(name) if name else visitor

    def close(self) -> None:
        """Close them all; fail if a page of theirs complained."""
        self._closing.close()
