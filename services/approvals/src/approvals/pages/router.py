"""The routes of approvals' pages."""

from fastapi import APIRouter

from approvals.decisions.feed import ChangeFeed
from approvals.decisions.service import ApprovalService
from approvals.pages.approval_pages import ApprovalPages
from approvals.pages.decision import add_decision
from approvals.pages.history import add_history
from approvals.pages.inbox import add_inbox
from orderflow_hosting.access import Access


def page_router(
    pages: ApprovalPages, service: ApprovalService, feed: ChangeFeed, access: Access
) -> APIRouter:
    """Return the router of all pages."""
    router = APIRouter(include_in_schema=False)
    add_inbox(router, pages, feed, access)
    add_history(router, pages)
    add_decision(router, pages, service)
    return router
