"""The page of what was decided, has expired or was withdrawn."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.cursors import cursor_of
from approvals.pages.desk import Desk
from approvals.past import Found, Search
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.access import Principal, page

FIELDS: Final = ("text", "order_id", "customer_id", "approver", "status", "since", "until")
LONGEST: Final = 200
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ENDS: Final = tuple(status for status in ApprovalStatus if status is not ApprovalStatus.PENDING)

Viewer = Annotated[Principal, page()]


def add_decided(router: APIRouter, desk: Desk) -> None:
    """Add the page."""

    @router.get("/inbox/decided")
    async def decided_page(request: Request, viewer: Viewer, after: str | None = None) -> Response:
        typed = {name: _typed(request, name) for name in FIELDS}
        search, wrong = read_search(typed)
        views, found = await desk.past(viewer, search, after)
        return desk.page(
            request,
            "decided.html",
            422 if wrong else 200,
            views=views,
            found=found,
            typed=typed,
            wrong=wrong,
            statuses=ENDS,
            is_search=any(typed.values()),
            first_url=_url(typed) if after else None,
            next_url=_url(typed, found),
        )


def read_search(typed: Mapping[str, str]) -> tuple[Search, Mapping[str, str]]:
    """Read what was typed; what makes no sense is not looked for, and told by field."""
    wrong: dict[str, str] = {}
    since = _day(typed, "since", wrong)
    until = _day(typed, "until", wrong)
    status = None
    if typed["status"] in set(ENDS):
        status = ApprovalStatus(typed["status"])
    elif typed["status"]:
        wrong["status"] = "Choose one of the list."
    search = Search(
        text=typed["text"],
        order_id=typed["order_id"],
        customer_id=typed["customer_id"],
        approver=typed["approver"],
        status=status,
        since=since,
        until=until + timedelta(days=1) if until is not None else None,
    )
    return search, wrong


def _day(typed: Mapping[str, str], name: str, wrong: dict[str, str]) -> datetime | None:
    if not typed[name]:
        return None
    try:
        day = date.fromisoformat(typed[name] if _DAY.fullmatch(typed[name]) else "")
    except ValueError:
        wrong[name] = "Write a day as 2026-12-31."
        return None
    if day.year == date.max.year:
        wrong[name] = "Write an earlier day."
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _typed(request: Request, name: str) -> str:
    return request.query_params.get(name, "").strip()[:LONGEST].replace("\0", "")


def _url(typed: Mapping[str, str], found: Found | None = None) -> str | None:
    query = {name: text for name, text in typed.items() if text}
    if found is not None:
        if found.next is None:
            return None
        query["after"] = cursor_of(found.next.at, found.next.order_id)
    return f"/inbox/decided?{urlencode(query)}" if query else "/inbox/decided"
