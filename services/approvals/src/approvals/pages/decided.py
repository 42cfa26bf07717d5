"""The page of what was decided, has expired or was withdrawn."""

from collections.abc import Mapping, MutableMapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.cursors import cursor_of
from approvals.pages.desk import Desk
from approvals.past import Found, Search
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.access import Principal, page
from orderflow_hosting.web.local_time import Period, read_period

FIELDS: Final = ("text", "order_id", "customer_id", "approver", "status", "since", "until", "zone")
LONGEST: Final = 200
ENDS: Final = tuple(status for status in ApprovalStatus if status is not ApprovalStatus.PENDING)

Viewer = Annotated[Principal, page()]


def add_decided(router: APIRouter, desk: Desk) -> None:
    """Add the page."""

    @router.get("/inbox/decided")
    async def decided_page(request: Request, viewer: Viewer, after: str | None = None) -> Response:
        typed = {name: _typed(request, name) for name in FIELDS}
        wrong: dict[str, str] = {}
        period = read_period(typed, wrong, "Write a day as 2026-12-31.")
        search = read_search(typed, period, wrong)
        views, found = await desk.past(viewer, search, after)
        return desk.page(
            request,
            "decided.html",
            422 if wrong else 200,
            views=views,
            found=found,
            typed=typed,
            period=period,
            wrong=wrong,
            statuses=ENDS,
            is_search=any(typed.values()),
            first_url=_url(typed) if after else None,
            next_url=_url(typed, found),
        )


def read_search(
    typed: Mapping[str, str], period: Period, wrong: MutableMapping[str, str]
) -> Search:
    """Read what was typed; what makes no sense is not looked for, and told by field."""
    status = None
    if typed["status"] in set(ENDS):
        status = ApprovalStatus(typed["status"])
    elif typed["status"]:
        wrong["status"] = "Choose one of the list."
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
    return request.query_params.get(name, "").strip()[:LONGEST].replace("\0", "")


def _url(typed: Mapping[str, str], found: Found | None = None) -> str | None:
    query = {name: text for name, text in typed.items() if text}
    if found is not None:
        if found.next is None:
            return None
        query["after"] = cursor_of(found.next.at, found.next.order_id)
    return f"/inbox/decided?{urlencode(query)}" if query else "/inbox/decided"
