"""The use cases of inventory: reserve, commit, release, restock, and what lies on the shelf."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from inventory.config import OpeningItem
from inventory.domain import Item, Ledger
from inventory.keeper import Command, Keeper
from inventory.store import (
    CATALOGUE_KEY,
    Catalogue,
    Scope,
    Snapshot,
    Store,
    Versioned,
    item_key,
)
from orderflow_contracts.inventory import (
    CommitRequest,
    Committed,
    Released,
    ReleaseRequest,
    ReservationRejected,
    Reserved,
    ReserveRequest,
    RestockRequest,
    Stock,
)

RECENT_ORDERS: Final = 10_000


class StockRoom:
    """Stock and reservations, each call idempotent by its order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keeper = Keeper(store)
        self._adding = asyncio.Lock()
        self._recent: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def open(self, opening: Sequence[OpeningItem]) -> None:
        """Put the opening stock on the shelf where an item is not kept yet; safe to repeat."""
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
            everything = Catalogue(items=tuple(dict.fromkeys([*known, *names])))
            changes[CATALOGUE_KEY] = Versioned(
                everything.model_dump_json().encode(), catalogue.version
            )
        if changes:
            await self._store.write(changes)

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Set the lines aside, all or none."""
        items = frozenset(line.item for line in request.lines)
        self._remember(request.order_id, items)
        return await self._keeper.perform(
            Command(
                Scope(items, frozenset([request.order_id])),
                lambda ledger: ledger.reserve(request.order_id, request.lines),
            )
        )

    async def commit(self, request: CommitRequest) -> Committed:
        """Let an order's goods leave the shelf."""
        return await self._keeper.perform(
            Command(
                self._scope_of(request.order_id), lambda ledger: ledger.commit(request.order_id)
            )
        )

    async def release(self, request: ReleaseRequest) -> Released:
        """Give back what an order holds."""
        return await self._keeper.perform(
            Command(
                self._scope_of(request.order_id), lambda ledger: ledger.release(request.order_id)
            )
        )

    async def restock(self, request: RestockRequest) -> Stock:
        """Add pieces of an item, or bring one or all items back to the opening stock."""
        if request.item is not None and request.quantity is not None:
            await self._add(request.item, request.quantity, request.restock_id)
        else:
            names = await self._names() if request.item is None else (request.item,)
            await self._reset(names)
        return await self.stock()

    async def stock(self) -> Stock:
        """Tell what lies on the shelf."""
        names = await self._names()
        snapshot = await Snapshot.read(self._store, Scope(items=frozenset(names)))
        await self._store.confirm_absent(snapshot.absent())
        items = snapshot.ledger.items
        return Stock(items=tuple(items[name].as_stock() for name in names if name in items))

    async def _add(self, item: str, quantity: int, known_as: str | None) -> None:
        """Add, one restock at a time: an item knows only its latest restocks again."""
        restock_id = known_as or uuid.uuid4().hex
        async with self._adding:
            await self._keeper.perform(
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

        await self._keeper.perform(Command(Scope(items=frozenset(items)), reset))

    async def _names(self) -> tuple[str, ...]:
        catalogue = await self._catalogue()
        if catalogue.value is None:
            await self._store.confirm_absent([CATALOGUE_KEY])
        return Catalogue.model_validate_json(catalogue.value or b"{}").items

    async def _catalogue(self) -> Versioned:
        return (await self._store.read([CATALOGUE_KEY]))[CATALOGUE_KEY]

    def _remember(self, order_id: str, items: frozenset[str]) -> None:
        """Keep in mind what an order will hold: it saves a commit the second reading."""
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
