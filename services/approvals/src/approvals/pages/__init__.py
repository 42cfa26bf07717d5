"""The pages on which people see what waits, decide, and look back."""

from approvals.pages.desk import Desk
from approvals.pages.router import page_router
from approvals.pages.site import AUDIT_PATH, LETTERS_PATH, REQUESTS_PATH, approvals_site

__all__ = [
    "AUDIT_PATH",
    "LETTERS_PATH",
    "REQUESTS_PATH",
    "Desk",
    "approvals_site",
    "page_router",
]
