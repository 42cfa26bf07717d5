"""Dapr's state API behind the store's port."""

from collections.abc import Iterable, Mapping

import grpc.aio

from inventory.store import StoreUnavailable, VersionConflict, Versioned
from orderflow_contracts.names import INVENTORY_STORE
from orderflow_hosting.problems import Problem
from orderflow_hosting.sidecar import Sidecar, StateEntry


class DaprStore:
    """The component `inventory-store`, by way of the sidecar."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def read(self, keys: Iterable[str]) -> dict[str, Versioned]:
        """Read keys in one call."""
        try:
            entries = await self._sidecar.read_state(INVENTORY_STORE, list(keys))
        except (grpc.aio.AioRpcError, Problem) as error:
            raise StoreUnavailable(str(error)) from error
        return {key: Versioned(entry.data or None, entry.etag) for key, entry in entries.items()}

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write in one transaction, with ETags, and create-if-absent where there was none."""
        entries = {
            key: StateEntry(change.value or b"", change.version) for key, change in changes.items()
        }
        try:
            await self._sidecar.transact(INVENTORY_STORE, entries)
        except grpc.aio.AioRpcError as error:
            # Stores tell a stale ETag in different words and codes, and a lost answer tells
            # nothing at all: only the keys themselves say what happened.
            raise VersionConflict(error.details() or error.code().name) from error
