"""An in-memory store of versioned keys that can fail in all the ways of a real one."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto

from inventory.domain import Item, Reservation, ReservationState
from inventory.ports import StoreUnavailable, VersionConflict, Versioned
from inventory.store import Bucket


class Failure(Enum):
    """A failure of one read or write."""

    NONE = auto()
    UNAVAILABLE = auto()
    CONFLICT = auto()
    LOST_ANSWER = auto()
    INCOMPLETE = auto()


class MemoryStore:
    """Implements inventory's `Store`; reads and writes yield to other tasks."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[bytes, int]] = {}
        self.transactions: list[frozenset[str]] = []
        self.reads: list[tuple[str, ...]] = []
        self.read_failures: deque[Failure] = deque()
        self.write_failures: deque[Failure] = deque()
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    async def read(self, keys: Iterable[str]) -> dict[str, Versioned]:
        """Read keys, each with its version."""
        requested = tuple(keys)
        self.reads.append(requested)
        await asyncio.sleep(0)
        failure = self.read_failures.popleft() if self.read_failures else Failure.NONE
        if failure is Failure.INCOMPLETE:
            return {key: Versioned(None, None) for key in requested}
        if failure is not Failure.NONE:
            raise StoreUnavailable("the store does not answer")
        return {key: self._entry(key) for key in requested}

    async def confirm_absent(self, keys: Iterable[str]) -> None:
        """Raise if a key exists that an incomplete read made look absent."""
        await asyncio.sleep(0)
        if any(key in self.values for key in keys):
            raise StoreUnavailable("the read was incomplete")

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write all keys or none."""
        await asyncio.sleep(0)
        failure = self.write_failures.popleft() if self.write_failures else Failure.NONE
        if failure is Failure.UNAVAILABLE:
            raise StoreUnavailable("the store does not answer")
        self.before_write()
        stale = [key for key, change in changes.items() if self._version(key) != change.version]
        if stale or failure is Failure.CONFLICT:
            raise VersionConflict(f"changed in the meantime: {stale}")
        for key, change in changes.items():
            self.put(key, change.value or b"")
        self.transactions.append(frozenset(changes))
        self.after_write()
        if failure is Failure.LOST_ANSWER:
            raise VersionConflict("the answer was lost")

    async def check(self) -> None:
        """Fail while writes are set to fail."""
        if self.write_failures:
            raise StoreUnavailable("the store does not answer")

    def put(self, key: str, value: bytes) -> None:
        """Change a key, as another replica would."""
        self.values[key] = (value, int(self._version(key) or 0) + 1)

    def items(self) -> dict[str, Item]:
        """Return all items."""
        stored = (value for key, (value, _) in self.values.items() if key.startswith("item:"))
        return {item.name: item for item in map(Item.model_validate_json, stored)}

    def reservations(self) -> dict[str, Reservation]:
        """Return all reservations by order ID."""
        return {
            key.removeprefix("order:"): Reservation.model_validate_json(value)
            for key, (value, _) in self.values.items()
            if key.startswith("order:")
        }

    def listed(self) -> list[str]:
        """Return the orders that the buckets list, sorted."""
        stored = (value for key, (value, _) in self.values.items() if key.startswith("open:"))
        return sorted(
            order for value in stored for order in Bucket.model_validate_json(value).orders
        )

    def quantities(self, state: ReservationState) -> Counter[str]:
        """Return the reserved quantity per item of all reservations in a state."""
        quantities: Counter[str] = Counter()
        for reservation in self.reservations().values():
            if reservation.state is state:
                quantities.update({line.item: line.quantity for line in reservation.lines})
        return quantities

    def audit(self) -> None:
        """Raise unless items agree with the reservations, and buckets list those that are open."""
        reserved = self.quantities(ReservationState.RESERVED)
        for name, item in self.items().items():
            assert 0 <= item.reserved <= item.on_hand, item
            assert item.reserved == reserved[name], (item, reserved[name])
        states = {order: each.state for order, each in self.reservations().items()}
        is_open = [order for order, state in states.items() if state is ReservationState.RESERVED]
        assert self.listed() == sorted(is_open)

    def _entry(self, key: str) -> Versioned:
        if key not in self.values:
            return Versioned(None, None)
        return Versioned(self.values[key][0], self._version(key))

    def _version(self, key: str) -> str | None:
        return str(self.values[key][1]) if key in self.values else None
