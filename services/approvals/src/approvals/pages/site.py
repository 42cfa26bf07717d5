"""The website of approvals and its menu."""

from typing import Final

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access import Role
from orderflow_hosting.web import MenuItem, Site

AUDIT_PATH: Final = "/inbox/audit"
DEAD_LETTERS_PATH: Final = "/inbox/dead-letters"
REQUESTS_PATH: Final = "/inbox/requests"

TONES: Final = {"approved": "good", "pending": "wait", "denied": "bad"}
"""The colours of the statuses of requests."""


def approvals_site(board_url: str | None, clock: Clock = now) -> Site:
    """Create the site; the menu links to the order board if there is one."""
    menu = [
        MenuItem("Inbox", "/"),
        MenuItem("Decided", "/inbox/decided"),
        MenuItem("Dead letters", DEAD_LETTERS_PATH, Role.OPERATOR),
        MenuItem("Audit", AUDIT_PATH, Role.OPERATOR),
    ]
    if board_url is not None:
        menu.append(MenuItem("Orders", board_url.rstrip("/") + "/"))
    return Site("Approvals", "approvals", menu, TONES, clock)
