"""What all pages of approvals need: the cases as the reader sees them, and the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from approvals.cursors import cursor_of, read_cursor
from approvals.domain import Case
from approvals.inbox import Clock
from approvals.pages.shown import Shown
from approvals.past import Found, Past, Search, Spot
from approvals.store import Place, SqlApprovalStore
from approvals.views import Reader, View, view_of
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_contracts.fields import now
from orderflow_hosting.access import Principal, Role
from orderflow_hosting.web import Site

ON_A_PAGE: Final = 50
MOST_COUNTED: Final = 1000


@dataclass(frozen=True)
class Waiting:
    """A page of the inbox: what waits, with what has just ended among it."""

    views: Sequence[View]
    count: int
    next: str | None
    version: str


class Desk:
    """Reads approvals for the pages. Every call may raise `DatabaseUnavailable`."""

    def __init__(
        self,
        store: SqlApprovalStore,
        past: Past,
        site: Site,
        confirm_from_cents: int,
        board_url: str | None = None,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._past = past
        self._site = site
        self._confirm_from_cents = confirm_from_cents
        self._board_url = board_url.rstrip("/") if board_url is not None else None
        self._clock = clock

    async def waiting(self, reader: Principal, shown: Shown, after: str | None) -> Waiting:
        """Read what waits, the most urgent first, and what was shown as waiting before."""
        moment = self._clock()
        version = await self._store.version(moment)  # before the rest: what comes later is news
        place = None if after is None else Place(*read_cursor(after))
        pending = ApprovalStatus.PENDING
        found = await self._store.list(pending, moment, ON_A_PAGE + 1, place)
        page = found[:ON_A_PAGE]
        listed = {case.order_id for case in found}
        kept = [order_id for order_id in shown.kept(moment) if order_id not in listed]
        settled = await self._store.find_all(kept) if kept else []
        views = [*self._views(page, reader, moment)]
        views += [view for view in self._views(settled, reader, moment) if not view.is_pending]
        views.sort(key=lambda view: (view.request.expires_at, view.order_id))
        last = page[-1].asked if len(found) > ON_A_PAGE else None
        onward = cursor_of(last.request.expires_at, page[-1].order_id) if last else None
        count = await self._store.count_pending(moment, MOST_COUNTED)
        return Waiting(views, count, onward, str(version))

    async def look(self, reader: Principal, order_id: str) -> View | None:
        """Read one approval; None while nobody has asked for it."""
        views = self._views([await self._store.find(order_id)], reader, self._clock())
        return views[0] if views else None

    async def version(self) -> str:
        """Tell which approvals there are now."""
        return str(await self._store.version(self._clock()))

    async def past(
        self, reader: Principal, search: Search, after: str | None
    ) -> tuple[Sequence[View], Found]:
        """Search what has ended, the latest first."""
        moment = self._clock()
        spot = None if after is None else Spot(*read_cursor(after))
        found = await self._past.search(search, moment, ON_A_PAGE, spot)
        return self._views(found.cases, reader, moment), found

    def page(
        self, request: Request, template: str, status_code: int = 200, **context: Any
    ) -> HTMLResponse:
        """Render a page."""
        return self._site.page(request, template, status_code, board_url=self._board_url, **context)

    def _views(self, cases: Sequence[Case], reader: Principal, moment: datetime) -> list[View]:
        who = Reader(reader.name, reader.may(Role.APPROVER))
        views = (view_of(case, moment, who, self._confirm_from_cents) for case in cases)
        return [view for view in views if view is not None]
