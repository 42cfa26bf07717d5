"""Inventory's edges: methods that other applications invoke, and stock for people to read."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from inventory.domain import NothingReserved, OtherLines, UnknownItem
from inventory.stock import StockRoom
from inventory.store import StoreUnavailable
from orderflow_contracts import names
from orderflow_contracts.inventory import (
    CommitRequest,
    ReleaseRequest,
    ReserveRequest,
    RestockRequest,
    Stock,
)
from orderflow_hosting import problems
from orderflow_hosting.access import reads
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.problems import Problem

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply")


class Nothing(BaseModel):
    """A request without content."""


def offer_methods(app: DaprApp, stock: StockRoom) -> None:
    """Let orders change the ledger, and anyone read it."""
    callers = names.SERVICES[names.INVENTORY].methods
    app.on_method(
        names.RESERVE, ReserveRequest, _told(stock.reserve), callers=callers[names.RESERVE]
    )
    app.on_method(names.COMMIT, CommitRequest, _told(stock.commit), callers=callers[names.COMMIT])
    app.on_method(
        names.RELEASE, ReleaseRequest, _told(stock.release), callers=callers[names.RELEASE]
    )
    app.on_method(
        names.RESTOCK, RestockRequest, _told(stock.restock), callers=callers[names.RESTOCK]
    )

    app.on_method(names.STOCK, Nothing, _told(_reader(stock)))


def http_app(stock: StockRoom, health: APIRouter) -> FastAPI:
    """Build what people reach over HTTP; nothing here changes the ledger."""
    read = _told(_reader(stock))
    app = FastAPI(
        title="Orderflow inventory",
        description="What lies on the shelf.",
        openapi_url=None,  # the site serves it, and its documentation
        responses=problems.common(),
    )
    problems.install(app)
    app.include_router(health)

    @app.get(
        "/stock",
        summary="List all items with what is on hand, reserved and available",
        dependencies=[reads()],
    )
    async def read_stock() -> Stock:
        return await read(Nothing())

    return app


def _reader(stock: StockRoom) -> Callable[[Nothing], Awaitable[Stock]]:
    async def read(_: Nothing) -> Stock:
        return await stock.stock()

    return read


def _told(
    handle: Callable[[Request], Awaitable[Reply]],
) -> Callable[[Request], Awaitable[Reply]]:
    """Tell the failures of the domain and the store as problems."""

    async def handled(request: Request) -> Reply:
        try:
            return await handle(request)
        except NothingReserved as error:
            raise Problem(409, "NOTHING_RESERVED", str(error)) from error
        except OtherLines as error:
            raise Problem(409, "OTHER_LINES", str(error)) from error
        except UnknownItem as error:
            raise Problem(404, "UNKNOWN_ITEM", str(error)) from error
        except StoreUnavailable as error:
            raise Problem(503, "STORE_UNAVAILABLE", str(error)) from error

    return handled
