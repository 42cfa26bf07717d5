"""The use cases of inventory: reserve, commit, release, restock and read the stock."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from inventory.batching import Command, CommandBatcher
from inventory.config import OpeningItem
from inventory.domain import Item, Ledger
from inventory.ports import Store, Versioned
from inventory.reservations import read_reservations
from inventory.store import CATALOGUE_KEY, Catalogue, Scope, Snapshot, item_key
from orderflow_contracts.inventory import (
    CommitRequest,
    Committed,
    Released,
    ReleaseRequest,
    ReservationRejected,
    Reservations,
    ReservationsWanted,
    Reserved,
    ReserveRequest,
    RestockRequest,
    Stock,
)

RECENT_ORDERS: Final = 10_000


class StockService:
    """Stock and reservations; each call is idempotent by its order ID."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batcher = CommandBatcher(store)
        self._restock_lock = asyncio.Lock()
        self._recent: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def load_opening_stock(self, opening: Sequence[OpeningItem]) -> None:
        """Add the items of the opening stock that do not exist yet; safe to repeat."""
        names = [entry.item for entry in opening]
        catalogue = await self._catalogue()
        known = Catalogue.model_validate_json(catalogue.value or b"{}").items
        entries = await self._store.read([item_key(name) for name in names])
        changes = {
            item_key(entry.item): Versioned(_new_item(entry), None)
            for entry in opening
            if entries[item_key(entry.item)].value is None
        }
        if not set(names) <= set(known):
            extended = Catalogue(items=tuple(dict.fromkeys([*known, *names])))
            changes[CATALOGUE_KEY] = Versioned(
                extended.model_dump_json().encode(), catalogue.version
            )
        if changes:
            await self._store.write(changes)

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Reserve all lines or none."""
        items = frozenset(line.item for line in request.lines)
        self._remember(request.order_id, items)
        return await self._batcher.execute(
            Command(
                Scope(items, frozenset([request.order_id])),
                lambda ledger: ledger.reserve(request.order_id, request.lines),
            )
        )

    async def commit(self, request: CommitRequest) -> Committed:
        """Remove an order's reserved stock from the stock on hand."""
        return await self._batcher.execute(
            Command(
                self._scope_of(request.order_id), lambda ledger: ledger.commit(request.order_id)
            )
        )

    async def release(self, request: ReleaseRequest) -> Released:
        """Release or return the stock of an order."""
        return await self._batcher.execute(
            Command(
                self._scope_of(request.order_id), lambda ledger: ledger.release(request.order_id)
            )
        )

    async def restock(self, request: RestockRequest) -> Stock:
        """Add stock of an item, or reset one or all items to the opening stock."""
        if request.item is not None and request.quantity is not None:
            await self._add(request.item, request.quantity, request.restock_id)
        else:
            names = await self._names() if request.item is None else (request.item,)
            await self._reset(names)
        return await self.stock()

    async def stock(self) -> Stock:
        """Return the current stock."""
        names = await self._names()
        snapshot = await Snapshot.read(self._store, Scope(items=frozenset(names)))
        await self._store.confirm_absent(snapshot.absent())
        items = snapshot.ledger.items
        return Stock(items=tuple(items[name].as_stock() for name in names if name in items))

    async def reservations(self, wanted: ReservationsWanted) -> Reservations:
        """Return the reservations of certain orders, or a page of all that are open."""
        return await read_reservations(self._store, wanted)

    async def _add(self, item: str, quantity: int, given_id: str | None) -> None:
        """Add one restock at a time, because an item stores only its latest restock IDs."""
        restock_id = given_id or uuid.uuid4().hex
        async with self._restock_lock:
            await self._batcher.execute(
                Command(
                    Scope(items=frozenset([item])),
                    lambda ledger: ledger.add(item, quantity, restock_id),
                )
            )

    async def _reset(self, names: Iterable[str]) -> None:
        items = tuple(names)

        def reset(ledger: Ledger) -> None:
            for name in items:
                ledger.reset(name)

        await self._batcher.execute(Command(Scope(items=frozenset(items)), reset))

    async def _names(self) -> tuple[str, ...]:
        catalogue = await self._catalogue()
        if catalogue.value is None:
            await self._store.confirm_absent([CATALOGUE_KEY])
        return Catalogue.model_validate_json(catalogue.value or b"{}").items

    async def _catalogue(self) -> Versioned:
        return (await self._store.read([CATALOGUE_KEY]))[CATALOGUE_KEY]

    def _remember(self, order_id: str, items: frozenset[str]) -> None:
        """Remember an order's items, which saves a second read at its commit."""
        self._recent[order_id] = items
        if len(self._recent) > RECENT_ORDERS:
            self._recent.popitem(last=False)

    def _scope_of(self, order_id: str) -> Scope:
        return Scope(self._recent.get(order_id, frozenset()), frozenset([order_id]))


def _new_item(entry: OpeningItem) -> bytes:
    item = Item(
        name=entry.item,
        on_hand=entry.quantity,
        unit_price_cents=entry.unit_price_cents,
        opening=entry.quantity,
    )
    return item.model_dump_json(exclude_none=True).encode()
