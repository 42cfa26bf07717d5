"""What inventory needs from outside: a transactional store of versioned keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Versioned:
    """A stored value and its version; both are None if the key is absent."""

    value: bytes | None
    version: str | None


class StoreUnavailable(Exception):
    """The store did not answer; a write may or may not have happened."""


class VersionConflict(Exception):
    """A key has changed since it was read, or the write failed; read again to find out."""


class Store(Protocol):
    """A store of versioned keys."""

    async def read(self, keys: Iterable[str]) -> dict[str, Versioned]:
        """Read keys; an absent key has an empty entry. Raises `StoreUnavailable`.

        After a broken connection, existing keys may be missing from the result and look absent. A
        write detects that, because it expects them to be absent; a decision without a write must
        call `confirm_absent`.
        """
        ...

    async def confirm_absent(self, keys: Iterable[str]) -> None:
        """Raise `StoreUnavailable` unless all keys are really absent."""
        ...

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write all keys, if each still has the given version, or none.

        Raises `VersionConflict`; the caller must read again to learn what happened.
        """
        ...

    async def check(self) -> None:
        """Raise `StoreUnavailable` unless keys can be written."""
        ...
