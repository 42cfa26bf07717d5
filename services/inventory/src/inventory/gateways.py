"""Dapr's state API behind the store's port."""

import asyncio
from collections.abc import Iterable, Mapping

import grpc.aio

from inventory.store import PROBE_KEY, StoreUnavailable, VersionConflict, Versioned
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

    async def confirm_absent(self, keys: Iterable[str]) -> None:
        """Read each key by itself.

        `state.postgresql` answers a bulk reading whose connection breaks with what it has got, and
        tells of no error (components-contrib 1.18.0, `BulkGet`). A reading of one key tells it.
        """
        try:
            entries = await asyncio.gather(
                *(self._sidecar.read_one(INVENTORY_STORE, key) for key in keys)
            )
        except grpc.aio.AioRpcError as error:
            raise StoreUnavailable(str(error)) from error
        if any(entry.etag is not None for entry in entries):
            raise StoreUnavailable("the store has left out keys that it holds")

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

    async def check(self) -> None:
        """Write a key of its own, which a database that is read-only or full refuses."""
        try:
            await self._sidecar.write_one(INVENTORY_STORE, PROBE_KEY, b"{}")
        except grpc.aio.AioRpcError as error:
            raise StoreUnavailable(error.details() or error.code().name) from error
