"""A store of versioned keys in memory, which can be made to fail in every way that real ones do."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from inventory.domain import Item, Reservation, ReservationState
from inventory.store import StoreUnavailable, VersionConflict, Versioned


class Trouble(Enum):
    """What goes wrong with one read or write."""

    NONE = auto()
    UNAVAILABLE = auto()
    CONFLICT = auto()
    LOST_ANSWER = auto()
    BROKEN_OFF = auto()


class MemoryStore:
    """Implements inventory's `Store`; reads and writes take turns with other tasks."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}
        self.transactions: list[frozenset[str]] = []
        self.reads: list[tuple[str, ...]] = []
        self.trouble_reading: deque[Trouble] = deque()
        self.trouble_writing: deque[Trouble] = deque()
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    async def read(self, keys: Iterable[str]) -> dict[str, Versioned]:
        """Read keys, each with its version."""
        asked = tuple(keys)
        self.reads.append(asked)
        await asyncio.sleep(0)
        trouble = self.trouble_reading.popleft() if self.trouble_reading else Trouble.NONE
        if trouble is Trouble.BROKEN_OFF:
            return {key: Versioned(None, None) for key in asked}
        if trouble is not Trouble.NONE:
            raise StoreUnavailable("the store does not answer")
        return {key: self._entry(key) for key in asked}

    async def confirm_absent(self, keys: Iterable[str]) -> None:
        """Tell keys that a reading has left out from those that are absent."""
        await asyncio.sleep(0)
        if any(key in self.values for key in keys):
            raise StoreUnavailable("the reading was not whole")

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write all keys or none."""
        await asyncio.sleep(0)
        trouble = self.trouble_writing.popleft() if self.trouble_writing else Trouble.NONE
        if trouble is Trouble.UNAVAILABLE:
            raise StoreUnavailable("the store does not answer")
        self.before_write()
        stale = [key for key, change in changes.items() if self._version(key) != change.version]
        if stale or trouble is Trouble.CONFLICT:
            raise VersionConflict(f"changed meanwhile: {stale}")
        for key, change in changes.items():
            self.put(key, change.value or b"")
        self.transactions.append(frozenset(changes))
        self.after_write()
        if trouble is Trouble.LOST_ANSWER:
            raise VersionConflict("the answer got lost")

    async def check(self) -> None:
        """Fail while writing fails."""
        if self.trouble_writing:
            raise StoreUnavailable("the store does not answer")

    def put(self, key: str, value: bytes) -> None:
        """Change a key, as another replica does."""
        self.values[key] = (value, int(self._version(key) or 0) + 1)

    def items(self) -> dict[str, Item]:
        """Read all items that are kept."""
        stored = (value for key, (value, _) in self.values.items() if key.startswith("item:"))
        return {item.name: item for item in map(Item.model_validate_json, stored)}

    def reservations(self) -> dict[str, Reservation]:
        """Read all reservations, by order."""
        return {
            key.removeprefix("order:"): Reservation.model_validate_json(value)
            for key, (value, _) in self.values.items()
            if key.startswith("order:")
        }

    def pieces(self, state: ReservationState) -> Counter[str]:
        """Count the pieces, by item, of all reservations in this state."""
        pieces: Counter[str] = Counter()
        for reservation in self.reservations().values():
            if reservation.state is state:
                pieces.update({line.item: line.quantity for line in reservation.lines})
        return pieces

    def audit(self) -> None:
        """Raise unless every item has just so many pieces set aside as its orders reserved."""
        reserved = self.pieces(ReservationState.RESERVED)
        for name, item in self.items().items():
            assert 0 <= item.reserved <= item.on_hand, item
            assert item.reserved == reserved[name], (item, reserved[name])

    def _entry(self, key: str) -> Versioned:
        if key not in self.values:
            return Versioned(None, None)
        return Versioned(self.values[key][0], self._version(key))

    def _version(self, key: str) -> str | None:
        return str(self.values[key][1]) if key in self.values else None
