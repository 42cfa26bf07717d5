"""The page that searches approvals that were decided, have expired or were withdrawn."""

from collections.abc import Mapping, MutableMapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.cursors import cursor_of
from approvals.history.search import Search
from approvals.history.store import SearchPage
from approvals.pages.approval_pages import ApprovalPages
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.access import Principal, page
from orderflow_hosting.web.local_time import Period, read_period

FIELDS: Final = ("text", "order_id", "customer_id", "approver", "status", "since", "until", "zone")
MAX_LENGTH: Final = 200
OUTCOMES: Final = tuple(each for each in ApprovalStatus if each is not ApprovalStatus.PENDING)

Viewer = Annotated[Principal, page()]


def add_history(router: APIRouter, pages: ApprovalPages) -> None:
    """Add the page."""

    @router.get("/inbox/decided")
    async def history_page(request: Request, viewer: Viewer, after: str | None = None) -> Response:
        typed = {name: _typed(request, name) for name in FIELDS}
        errors: dict[str, str] = {}
        period = read_period(typed, errors, "Write a day as 2026-12-31.")
        search = read_search(typed, period, errors)
        views, found = await pages.history(viewer, search, after)
        return pages.render(
            request,
            "decided.html",
            422 if errors else 200,
            views=views,
            found=found,
            typed=typed,
            period=period,
            errors=errors,
            statuses=OUTCOMES,
            is_search=any(typed.values()),
            first_url=_url(typed) if after else None,
            next_url=_url(typed, found),
        )


def read_search(
    typed: Mapping[str, str], period: Period, errors: MutableMapping[str, str]
) -> Search:
    """Convert the typed fields to a search; an invalid field is ignored and added to `errors`."""
    status = None
    if typed["status"] in set(OUTCOMES):
        status = ApprovalStatus(typed["status"])
    elif typed["status"]:
        errors["status"] = "Choose one from the list."
    return Search(
        text=typed["text"],
        order_id=typed["order_id"],
        customer_id=typed["customer_id"],
        approver=typed["approver"],
        status=status,
        since=period.since,
        until=period.before,
    )


def _typed(request: Request, name: str) -> str:
    return request.query_params.get(name, "").strip()[:MAX_LENGTH].replace("\0", "")


def _url(typed: Mapping[str, str], found: SearchPage | None = None) -> str | None:
    query = {name: text for name, text in typed.items() if text}
    if found is not None:
        if found.next is None:
            return None
        query["after"] = cursor_of(found.next.at, found.next.order_id)
    return f"/inbox/decided?{urlencode(query)}" if query else "/inbox/decided"
