"""The routes of approvals' pages."""

from fastapi import APIRouter

from approvals.feed import ChangeFeed
from approvals.inbox import Inbox
from approvals.pages.decided import add_decided
from approvals.pages.deciding import add_deciding
from approvals.pages.desk import Desk
from approvals.pages.looking import add_looking
from orderflow_hosting.access import Access


def page_router(desk: Desk, inbox: Inbox, feed: ChangeFeed, access: Access) -> APIRouter:
    """Serve the pages."""
    router = APIRouter(include_in_schema=False)
    add_looking(router, desk, feed, access)
    add_decided(router, desk)
    add_deciding(router, desk, inbox)
    return router
