"""The stock ledger as keys of a transactional store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel

from inventory.domain import Item, Ledger, Reservation
from inventory.ports import Store, Versioned


class Catalogue(BaseModel):
    """The names of all items; a state store cannot list its keys."""

    items: tuple[str, ...] = ()


CATALOGUE_KEY: Final = "catalogue"
PROBE_KEY: Final = "write-probe"
"""The key that `Store.check` writes; its value is never read."""


def item_key(name: str) -> str:
    """Return the key of an item; the name is quoted, because keys do not allow every character."""
    return f"item:{quote(name, safe='')}"


def order_key(order_id: str) -> str:
    """Return the key of an order's reservation."""
    return f"order:{order_id}"


@dataclass(frozen=True)
class Scope:
    """The items and orders that a command reads or changes."""

    items: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.items | other.items, self.orders | other.orders)

    def keys(self) -> list[str]:
        """Return the store keys of all items and orders."""
        return [*map(item_key, self.items), *map(order_key, self.orders)]


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
        """Return the keys that were absent, or missing from the result."""
        return {key for key, entry in self._entries.items() if entry.version is None}

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
        return {
            key: Versioned(
                model.model_dump_json(exclude_none=True).encode(), self._entries[key].version
            )
            for key, model in changed.items()
        }

    def _reserved_items(self) -> frozenset[str]:
        return frozenset(
            line.item for reservation in self._reservations.values() for line in reservation.lines
        )
