"""What inventory remembers, as keys of a store that changes several of them at once or none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from pydantic import BaseModel

from inventory.domain import Item, Ledger, Reservation


class Catalogue(BaseModel):
    """The names of all items that are kept; a state store cannot list its keys."""

    items: tuple[str, ...] = ()


CATALOGUE_KEY: Final = "catalogue"
PROBE_KEY: Final = "write-probe"
"""What `Store.check` writes, with nothing in it that anybody reads."""


@dataclass(frozen=True)
class Versioned:
    """A stored value with its version; both None where the key is absent."""

    value: bytes | None
    version: str | None


class StoreUnavailable(Exception):
    """The store did not answer; whether a write happened is not known."""


class VersionConflict(Exception):
    """A key had changed since it was read, or the write failed: read again to know."""


class Store(Protocol):
    """A store of versioned keys."""

    async def read(self, keys: Iterable[str]) -> dict[str, Versioned]:
        """Read keys; an absent one has an empty entry. Raises `StoreUnavailable`.

        A store may leave keys out of a reading that broke off: they look absent. A write tells,
        since it expects them to be absent still; who decides without one asks `confirm_absent`.
        """
        ...

    async def confirm_absent(self, keys: Iterable[str]) -> None:
        """Raise `StoreUnavailable` unless all of these keys are absent indeed."""
        ...

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write all, if each key still has the given version, or nothing.

        Raises `VersionConflict`; the caller must read again to know what happened.
        """
        ...

    async def check(self) -> None:
        """Raise `StoreUnavailable` unless keys can be written."""
        ...


def item_key(name: str) -> str:
    """Name the key of an item; its name is quoted, for a key must not hold every character."""
    return f"item:{quote(name, safe='')}"


def order_key(order_id: str) -> str:
    """Name the key of an order's reservation."""
    return f"order:{order_id}"


@dataclass(frozen=True)
class Scope:
    """The items and orders that a piece of work touches."""

    items: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(self.items | other.items, self.orders | other.orders)

    def keys(self) -> list[str]:
        """Name the store's keys for all of them."""
        return [*map(item_key, self.items), *map(order_key, self.orders)]


class Snapshot:
    """A ledger as it was read, which knows what changed in it since."""

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
        """Read this part of the ledger, and the items that its reservations hold besides."""
        snapshot = cls(await store.read(scope.keys()), scope)
        missing = Scope(items=snapshot._held_items() - scope.items)
        if missing.items:
            more = await store.read(missing.keys())
            snapshot = cls({**snapshot._entries, **more}, scope | missing)
        return snapshot

    def absent(self) -> set[str]:
        """Name the keys that were not there, or were left out."""
        return {key for key, entry in self._entries.items() if entry.version is None}

    def changes(self) -> dict[str, Versioned]:
        """Collect the keys to write, each with the version that it must still have."""
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

    def _held_items(self) -> frozenset[str]:
        return frozenset(
            line.item for reservation in self._reservations.values() for line in reservation.lines
        )
