"""The stock ledger as keys of a transactional store."""

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from inventory.domain import Item, Ledger, Reservation, ReservationState
from inventory.ports import Store, Versioned


class Catalogue(BaseModel):
    """The names of all items; a state store cannot list its keys."""

    items: tuple[str, ...] = ()


class Bucket(BaseModel):
    """The orders of one bucket that have an open reservation, sorted."""

    orders: tuple[str, ...] = ()

    @classmethod
    def read(cls, entry: Versioned) -> "Bucket":
        """Read a bucket; an absent one is empty."""
        return cls() if entry.value is None else cls.model_validate_json(entry.value)

    def with_states(self, states: Mapping[str, ReservationState | None]) -> "Bucket":
        """Return the bucket that has those of these orders whose reservation is open."""
        listed = set(self.orders)
        for order, state in states.items():
            (listed.add if state is ReservationState.RESERVED else listed.discard)(order)
        return self if listed == set(self.orders) else Bucket(orders=tuple(sorted(listed)))


CATALOGUE_KEY: Final = "catalogue"
PROBE_KEY: Final = "write-probe"
"""The key that `Store.check` writes; its value is never read."""


def item_key(name: str) -> str:
    """Return the key of an item; the name is quoted, because keys do not allow every character."""
    return f"item:{quote(name, safe='')}"


def order_key(order_id: str) -> str:
    """Return the key of an order's reservation."""
    return f"order:{order_id}"


BUCKET_KEYS: Final = tuple(f"open:{number:02x}" for number in range(64))
"""The keys of the buckets. With another number of them, orders would not be found in theirs."""


def bucket_key(order_id: str) -> str:
    """Return the key of the bucket that lists an order while its reservation is open."""
    return BUCKET_KEYS[zlib.crc32(order_id.encode()) % len(BUCKET_KEYS)]


@dataclass(frozen=True)
class Scope:
    """The items and orders that a command reads or changes."""

    items: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.items | other.items, self.orders | other.orders)

    def keys(self) -> list[str]:
        """Return the store keys of all items and orders, and of the orders' buckets."""
        buckets = set(map(bucket_key, self.orders))
        return [*map(item_key, self.items), *map(order_key, self.orders), *buckets]


class Snapshot:
    """A part of the ledger as it was read, and the changes made to it."""

    def __init__(self, entries: Mapping[str, Versioned], scope: Scope) -> None:
        self._entries = dict(entries)
        self._scope = scope
        self._reservations = {
            order: Reservation.model_validate_json(value)
            for order in scope.orders
            if (value := entries[order_key(order)].value) is not None
        }
        self._items = {
            name: Item.model_validate_json(value)
            for name in scope.items
            if (value := entries[item_key(name)].value) is not None
        }
        self.ledger = Ledger(self._items, self._reservations)

    @classmethod
    async def read(cls, store: Store, scope: Scope) -> "Snapshot":
        """Read this part of the ledger, together with all items in its reservations."""
        snapshot = cls(await store.read(scope.keys()), scope)
        others = Scope(items=snapshot._reserved_items() - scope.items)
        if others.items:
            more = await store.read(others.keys())
            snapshot = cls({**snapshot._entries, **more}, scope | others)
        return snapshot

    def absent(self) -> set[str]:
        """Return the keys that were absent, or missing from the result.

        Buckets are left out: nothing rests on them but the next state of the bucket.
        """
        absent = {key for key, entry in self._entries.items() if entry.version is None}
        return absent.difference(map(bucket_key, self._scope.orders))

    def changes(self) -> dict[str, Versioned]:
        """Return the keys to write, each with the version that it must still have."""
        changed: dict[str, BaseModel] = {
            item_key(name): item
            for name, item in self.ledger.items.items()
            if self._items[name] != item
        }
        changed |= {
            order_key(order): reservation
            for order, reservation in self.ledger.reservations.items()
            if self._reservations.get(order) != reservation
        }
        changed |= self._changed_buckets()
        return {
            key: Versioned(
                model.model_dump_json(exclude_none=True).encode(), self._entries[key].version
            )
            for key, model in changed.items()
        }

    def _changed_buckets(self) -> dict[str, Bucket]:
        """Return the buckets that must change so that they list what is open, and nothing else.

        They do not change for an order that is listed correctly. One whose reservation is older
        than the buckets is listed when a command is about it.
        """
        states: dict[str, dict[str, ReservationState | None]] = defaultdict(dict)
        for order in self._scope.orders:
            reservation = self.ledger.reservations.get(order)
            states[bucket_key(order)][order] = reservation.state if reservation else None
        changed = {}
        for key, of_orders in states.items():
            before = Bucket.read(self._entries[key])
            after = before.with_states(of_orders)
            if after != before:
                changed[key] = after
        return changed

    def _reserved_items(self) -> frozenset[str]:
        return frozenset(
            line.item for reservation in self._reservations.values() for line in reservation.lines
        )
