"""The pages on which people see what waits, decide, and look back."""

from approvals.pages.desk import Desk
from approvals.pages.router import page_router
from approvals.pages.site import approvals_site

__all__ = ["Desk", "approvals_site", "page_router"]
