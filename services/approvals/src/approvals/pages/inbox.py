"""The inbox, the page of a request, and the stream of changes."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.decisions.feed import ChangeFeed
from approvals.pages.approval_pages import ApprovalPages
from approvals.pages.displayed import DisplayedRequests, is_order_id
from approvals.pages.views import View
from orderflow_hosting.access import Access, Principal, page
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Change, change_events

Viewer = Annotated[Principal, page()]


def add_inbox(router: APIRouter, pages: ApprovalPages, feed: ChangeFeed, access: Access) -> None:
    """Add the pages that show pending requests."""

    @router.get("/")
    async def inbox_page(
        request: Request, viewer: Viewer, after: str | None = None, done: str | None = None
    ) -> Response:
        decided = await pages.find(viewer, done) if done and is_order_id(done) else None
        displayed = DisplayedRequests.from_fields(request.query_params)
        return await render_inbox(pages, request, viewer, displayed, after=after, decided=decided)

    @router.get("/inbox/requests/{order_id}")
    async def request_page(request: Request, viewer: Viewer, order_id: str) -> Response:
        version = await pages.version()
        view = await find_or_404(pages, viewer, order_id)
        return pages.render(request, "request.html", view=view, version=version)

    @router.get("/inbox/changes")
    async def changes(request: Request, _: Viewer) -> Response:
        versions = feed.follow(request.headers.get("Last-Event-ID"))

        async def next_change() -> Change:
            return Change(version=str(await anext(versions)))

        async def is_current() -> bool:
            return await access.session_is_current(request)

        return change_events(request, next_change, is_current)


async def render_inbox(
    pages: ApprovalPages,
    request: Request,
    reader: Principal,
    displayed: DisplayedRequests,
    *,
    status_code: int = 200,
    after: str | None = None,
    decided: View | None = None,
    rejection: str | None = None,
    unsaved_comment: str = "",
) -> Response:
    """Render the inbox, with the outcome of `decided` at the top.

    `rejection` says that the reader's decision was not recorded; `unsaved_comment` is its comment.
    """
    inbox = await pages.inbox(reader, displayed, after)
    return pages.render(
        request,
        "inbox.html",
        status_code,
        inbox=inbox,
        displayed=displayed,
        after=after,
        decided=decided,
        rejection=rejection,
        unsaved_comment=unsaved_comment,
    )


async def find_or_404(pages: ApprovalPages, reader: Principal, order_id: str) -> View:
    """Return an approval; raise `APPROVAL_NOT_FOUND` if none was requested."""
    view = await pages.find(reader, order_id) if is_order_id(order_id) else None
    if view is None:
        raise Problem(404, "APPROVAL_NOT_FOUND", "no approval was requested for this order")
    return view
