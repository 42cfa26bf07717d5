"""Faults that no page may have in any test: errors, and requests to other hosts."""

import re
from typing import Final

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Request

REPORT_VIOLATIONS: Final = """
addEventListener("securitypolicyviolation", (event) => {
    const where = `${event.sourceFile}:${event.lineNumber}`;
    console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${where}`);
});
"""
NO_REQUEST: Final = ("data:", "blob:", "about:", "chrome-error:")
"""Schemes of URLs that need no request to a host."""


class Watch:
    """Listens to all pages of a browser context, and records faults."""

    def __init__(self, context: BrowserContext, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts
        self._complaints: list[str] = []
        self._forgiven: list[re.Pattern[str]] = []
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._console)
        context.on("request", self._request)
        context.on("weberror", lambda error: self._page_error(error.error))

    def forgive(self, pattern: str) -> None:
        """Expect a fault, such as the browser's message about an error status."""
        self._forgiven.append(re.compile(pattern))

    @property
    def complaints(self) -> list[str]:
        """The recorded faults that were not expected."""
        return [
            complaint
            for complaint in self._complaints
            if not any(pattern.search(complaint) for pattern in self._forgiven)
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            where = message.location.get("url", "")
            self._complaints.append(f"console {message.type}: {message.text} ({where})")

    def _page_error(self, error: Error) -> None:
        self._complaints.append(f"uncaught in a script: {error}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((*self._hosts, *NO_REQUEST)):
            self._complaints.append(f"asked another host: {request.url}")
