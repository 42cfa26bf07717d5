"""What all pages of approvals need: the approvals as the reader sees them, and the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from approvals.cursors import cursor_of, read_cursor
from approvals.decisions.ports import ListPosition
from approvals.decisions.store import SqlApprovalStore
from approvals.domain import Case
from approvals.history.search import Search
from approvals.history.store import DecisionHistory, HistoryPosition, SearchPage
from approvals.pages.displayed import DisplayedRequests
from approvals.pages.views import Reader, View, view_of
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_contracts.fields import Clock, now
from orderflow_hosting.access import Principal, Role
from orderflow_hosting.web import Site

PAGE_SIZE: Final = 50
MAX_COUNTED: Final = 1000


@dataclass(frozen=True)
class InboxPage:
    """A page of the inbox: pending requests, together with those that have just ended."""

    views: Sequence[View]
    count: int
    next: str | None
    version: str


class ApprovalPages:
    """Reads approvals and renders pages. Every call may raise `DatabaseUnavailable`."""

    def __init__(
        self,
        store: SqlApprovalStore,
        history: DecisionHistory,
        site: Site,
        confirm_from_cents: int,
        board_url: str | None = None,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._history = history
        self._site = site
        self._confirm_from_cents = confirm_from_cents
        self._board_url = board_url.rstrip("/") if board_url is not None else None
        self._clock = clock

    async def inbox(
        self, reader: Principal, displayed: DisplayedRequests, after: str | None
    ) -> InboxPage:
        """Read the pending requests, most urgent first, and what the page displayed before."""
        moment = self._clock()
        version = await self._store.version(moment)  # first, so that later changes are noticed
        position = None if after is None else ListPosition(*read_cursor(after))
        pending = ApprovalStatus.PENDING
        found = await self._store.list(pending, moment, PAGE_SIZE + 1, position)
        page = found[:PAGE_SIZE]
        listed = {case.order_id for case in found}
        earlier = [each for each in displayed.still_displayed(moment) if each not in listed]
        settled = await self._store.find_all(earlier) if earlier else []
        views = [*self._views(page, reader, moment)]
        views += [view for view in self._views(settled, reader, moment) if not view.is_pending]
        views.sort(key=lambda view: (view.request.expires_at, view.order_id))
        last = page[-1].received if len(found) > PAGE_SIZE else None
        cursor = cursor_of(last.request.expires_at, page[-1].order_id) if last else None
        count = await self._store.count_pending(moment, MAX_COUNTED)
        return InboxPage(views, count, cursor, str(version))

    async def find(self, reader: Principal, order_id: str) -> View | None:
        """Return one approval, or None if none was requested."""
        views = self._views([await self._store.find(order_id)], reader, self._clock())
        return views[0] if views else None

    async def version(self) -> str:
        """Return the current version of the approvals."""
        return str(await self._store.version(self._clock()))

    async def history(
        self, reader: Principal, search: Search, after: str | None
    ) -> tuple[Sequence[View], SearchPage]:
        """Search ended approvals, latest first."""
        moment = self._clock()
        position = None if after is None else HistoryPosition(*read_cursor(after))
        found = await self._history.search(search, moment, PAGE_SIZE, position)
        return self._views(found.cases, reader, moment), found

    def render(
        self, request: Request, template: str, status_code: int = 200, **context: Any
    ) -> HTMLResponse:
        """Render a page."""
        return self._site.page(request, template, status_code, board_url=self._board_url, **context)

    def _views(self, cases: Sequence[Case], reader: Principal, moment: datetime) -> list[View]:
        who = Reader(reader.name, reader.may(Role.APPROVER))
        views = (view_of(case, moment, who, self._confirm_from_cents) for case in cases)
        return [view for view in views if view is not None]
