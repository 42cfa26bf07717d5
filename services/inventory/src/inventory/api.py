"""The edges of inventory: methods invoked through Dapr, and the HTTP API."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from inventory.domain import ConflictingLines, NothingReserved, UnknownItem
from inventory.ports import StoreUnavailable
from inventory.service import StockService
from orderflow_contracts import names
from orderflow_contracts.inventory import (
    CommitRequest,
    ReleaseRequest,
    ReservationsWanted,
    ReserveRequest,
    RestockRequest,
    Stock,
)
from orderflow_hosting.access import reads
from orderflow_hosting.application import http_application
from orderflow_hosting.dapr_app import DaprApp
from orderflow_hosting.problems import Problem

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply")


class EmptyRequest(BaseModel):
    """A request without content."""


def offer_methods(app: DaprApp, stock: StockService) -> None:
    """Offer the methods to their declared callers; anyone may read the stock."""
    callers = names.SERVICES[names.INVENTORY].methods
    app.on_method(
        names.RESERVE, ReserveRequest, _map_errors(stock.reserve), callers=callers[names.RESERVE]
    )
    app.on_method(
        names.COMMIT, CommitRequest, _map_errors(stock.commit), callers=callers[names.COMMIT]
    )
    app.on_method(
        names.RELEASE, ReleaseRequest, _map_errors(stock.release), callers=callers[names.RELEASE]
    )
    app.on_method(
        names.RESTOCK, RestockRequest, _map_errors(stock.restock), callers=callers[names.RESTOCK]
    )
    app.on_method(
        names.RESERVATIONS,
        ReservationsWanted,
        _map_errors(stock.reservations),
        callers=callers[names.RESERVATIONS],
    )
    app.on_method(names.STOCK, EmptyRequest, _map_errors(_reader(stock)))


def http_app(stock: StockService, health: APIRouter) -> FastAPI:
    """Create the HTTP application, which only reads the ledger."""
    read = _map_errors(_reader(stock))
    app = http_application("Orderflow inventory", "The current stock.", health)

    @app.get(
        "/stock",
        summary="List all items with their quantities on hand, reserved and available",
        dependencies=[reads()],
    )
    async def read_stock() -> Stock:
        return await read(EmptyRequest())

    return app


def _reader(stock: StockService) -> Callable[[EmptyRequest], Awaitable[Stock]]:
    async def read(_: EmptyRequest) -> Stock:
        return await stock.stock()

    return read


def _map_errors(
    handle: Callable[[Request], Awaitable[Reply]],
) -> Callable[[Request], Awaitable[Reply]]:
    """Convert errors of the domain and the store to problem documents."""

    async def wrapped(request: Request) -> Reply:
        try:
            return await handle(request)
        except NothingReserved as error:
            raise Problem(409, "NOTHING_RESERVED", str(error)) from error
        except ConflictingLines as error:
            raise Problem(409, "OTHER_LINES", str(error)) from error
        except UnknownItem as error:
            raise Problem(404, "UNKNOWN_ITEM", str(error)) from error
        except StoreUnavailable as error:
            raise Problem(503, "STORE_UNAVAILABLE", str(error)) from error

    return wrapped
