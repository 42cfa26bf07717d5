"""The web pages on which people see pending requests, decide, and search earlier decisions."""

from approvals.pages.approval_pages import ApprovalPages
from approvals.pages.router import page_router
from approvals.pages.site import AUDIT_PATH, DEAD_LETTERS_PATH, REQUESTS_PATH, approvals_site

__all__ = [
    "AUDIT_PATH",
    "DEAD_LETTERS_PATH",
    "REQUESTS_PATH",
    "ApprovalPages",
    "approvals_site",
    "page_router",
]
