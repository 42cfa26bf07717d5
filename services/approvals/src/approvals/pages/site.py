"""The site of approvals: its menu."""

from typing import Final

from orderflow_hosting.access import Role
from orderflow_hosting.web import MenuItem, Site

AUDIT_PATH: Final = "/inbox/audit"
LETTERS_PATH: Final = "/inbox/dead-letters"
REQUESTS_PATH: Final = "/inbox/requests"

TONES: Final = {"approved": "good", "pending": "wait", "denied": "bad"}
"""The colours of the statuses of requests."""


def approvals_site(board_url: str | None) -> Site:
    """Make the site; where the orders have a board, it leads there too."""
    menu = [
        MenuItem("Inbox", "/"),
        MenuItem("Decided", "/inbox/decided"),
        MenuItem("Dead letters", LETTERS_PATH, Role.OPERATOR),
        MenuItem("Audit", AUDIT_PATH, Role.OPERATOR),
    ]
    if board_url is not None:
        menu.append(MenuItem("Orders", board_url.rstrip("/") + "/"))
    return Site("Approvals", "approvals", menu, TONES)
