"""The inbox, a request's own page, and the word that there is something new to see."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.feed import ChangeFeed
from approvals.pages.desk import Desk
from approvals.pages.shown import Shown, is_order_id
from approvals.views import View
from orderflow_hosting.access import Access, Principal, page
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Change, change_events

Viewer = Annotated[Principal, page()]


def add_looking(router: APIRouter, desk: Desk, feed: ChangeFeed, access: Access) -> None:
    """Add the pages on which people look at what waits."""

    @router.get("/")
    async def inbox_page(
        request: Request, viewer: Viewer, after: str | None = None, done: str | None = None
    ) -> Response:
        told = await desk.look(viewer, done) if done and is_order_id(done) else None
        shown = Shown.told_by(request.query_params)
        return await show_inbox(desk, request, viewer, shown, after=after, told=told)

    @router.get("/inbox/requests/{order_id}")
    async def request_page(request: Request, viewer: Viewer, order_id: str) -> Response:
        version = await desk.version()
        view = await known(desk, viewer, order_id)
        return desk.page(request, "request.html", view=view, version=version)

    @router.get("/inbox/changes")
    async def changes(request: Request, _: Viewer) -> Response:
        versions = feed.follow(request.headers.get("Last-Event-ID"))

        async def next_change() -> Change:
            return Change(version=str(await anext(versions)))

        async def is_current() -> bool:
            return await access.session_is_current(request)

        return change_events(request, next_change, is_current)


async def show_inbox(
    desk: Desk,
    request: Request,
    reader: Principal,
    shown: Shown,
    *,
    status_code: int = 200,
    after: str | None = None,
    told: View | None = None,
    not_counted: str | None = None,
    lost: str = "",
) -> Response:
    """Show what waits, first what came of `told`.

    `not_counted` says that a decision was not recorded, `lost` is the comment that came with it.
    """
    waiting = await desk.waiting(reader, shown, after)
    return desk.page(
        request,
        "inbox.html",
        status_code,
        waiting=waiting,
        shown=shown,
        after=after,
        told=told,
        not_counted=not_counted,
        lost=lost,
    )


async def known(desk: Desk, reader: Principal, order_id: str) -> View:
    """Read an approval; raise `APPROVAL_NOT_FOUND` while nobody has asked for it."""
    view = await desk.look(reader, order_id) if is_order_id(order_id) else None
    if view is None:
        raise Problem(404, "APPROVAL_NOT_FOUND", "nobody has asked for an approval of this order")
    return view
