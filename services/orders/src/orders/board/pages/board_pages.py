"""The board: orders by status, with search, pages and live updates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from orderflow_contracts.orders import OrderStatus
from orderflow_hosting.access import page
from orderflow_hosting.pages import decode_cursor, encode_cursor, not_a_cursor, read_number
from orderflow_hosting.web import Site, change_events
from orderflow_hosting.web.local_time import Period, read_period
from orders.board.change_feed import ChangeFeed
from orders.board.pages.live import IsCurrent
from orders.board.search import OrderFilter, OrderPage
from orders.board.store import BoardStore

ORDERS_A_PAGE: Final = 50
LONGEST_TEXT: Final = 128
_LIKE: Final = "Enter a date and a time, such as 2026-11-21T09:30."
_FIELDS: Final = ("id", "customer", "item", "status", "since", "until", "zone")


@dataclass(frozen=True)
class Searched:
    """A search as it was typed, its filters, and its errors."""

    typed: Mapping[str, str]
    wanted: OrderFilter
    errors: Mapping[str, str] = field(default_factory=dict)
    period: Period = field(default_factory=Period)

    @property
    def is_search(self) -> bool:
        """Whether there is any filter."""
        return any(value for name, value in self.typed.items() if name != "zone")

    @property
    def is_filtered(self) -> bool:
        """Whether there is a filter besides the status."""
        return any(value for name, value in self.typed.items() if name not in ("status", "zone"))

    def url(self, **changes: str | None) -> str:
        """Return the URL of this search, with the given fields replaced."""
        values = {key: value for key, value in {**self.typed, **changes}.items() if value}
        return f"/?{urlencode(values)}" if values else "/"


def board_router(
    site: Site, board: BoardStore, feed: ChangeFeed, is_current: IsCurrent
) -> APIRouter:
    """Serve the board."""
    router = APIRouter(include_in_schema=False)

    @router.get("/", dependencies=[page()])
    async def show(request: Request) -> Response:
        query = request.query_params
        searched = read_search(query)
        after, seen = query.get("after"), read_number(query.get("seen", ""))
        found = await _find(board, searched, after)
        newest = await board.newest()
        return site.page(
            request,
            "board.html",
            422 if searched.errors else 200,
            searched=searched,
            counts=await board.counts(),
            found=found,
            after=after,
            newest=newest if seen is None else seen,
            has_newer=seen is not None and newest > seen,
            next=encode_cursor(found.next) if found.next else None,
            is_whole=not searched.wanted.item or await board.is_whole(),
        )

    @router.get("/board/changes", dependencies=[page()])
    async def changes(request: Request) -> Response:
        return change_events(request, feed.listener(), partial(is_current, request))

    return router


async def _find(board: BoardStore, searched: Searched, after: str | None) -> OrderPage:
    if searched.errors:
        return OrderPage((), None)
    try:
        place = decode_cursor(after) if after else None
        return await board.search(searched.wanted, ORDERS_A_PAGE, place)
    except ValueError:
        raise not_a_cursor() from None


def read_search(query: Mapping[str, str]) -> Searched:
    """Parse a search."""
    typed = {name: query.get(name, "").strip() for name in _FIELDS}
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, key in (("id", "order_id"), ("customer", "customer_id"), ("item", "item")):
        if len(typed[name]) > LONGEST_TEXT or not typed[name].isprintable():
            errors[name] = f"At most {LONGEST_TEXT} printable characters."
        values[key] = typed[name] or None
    if typed["status"]:
        if typed["status"] in set(OrderStatus):
            values["status"] = OrderStatus(typed["status"])
        else:
            errors["status"] = "There is no such status."
    period = read_period(typed, errors, _LIKE)
    wanted = OrderFilter(**values, since=period.since, until=period.before)
    return Searched(typed, OrderFilter() if errors else wanted, errors, period)
