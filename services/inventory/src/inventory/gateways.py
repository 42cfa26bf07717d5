"""The store on Dapr's state API."""

import asyncio
from collections.abc import Iterable, Mapping

import grpc.aio

from inventory.ports import StoreUnavailable, VersionConflict, Versioned
from inventory.store import PROBE_KEY
from orderflow_contracts.names import INVENTORY_STORE
from orderflow_hosting.problems import Problem
from orderflow_hosting.sidecar import Sidecar, StateEntry


class DaprStore:
    """The component `inventory-store`, accessed through the sidecar."""

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
        """Read each key with a separate request.

        If a connection breaks, a bulk read of `state.postgresql` returns an incomplete result
        without an error (components-contrib 1.18.0, `BulkGet`). A read of one key fails.
        """
        try:
            entries = await asyncio.gather(
                *(self._sidecar.read_one(INVENTORY_STORE, key) for key in keys)
            )
        except grpc.aio.AioRpcError as error:
            raise StoreUnavailable(str(error)) from error
        if any(entry.etag is not None for entry in entries):
            raise StoreUnavailable("the store omitted existing keys from a read")

    async def write(self, changes: Mapping[str, Versioned]) -> None:
        """Write in one transaction with ETags; a key without a version must be absent."""
        entries = {
            key: StateEntry(change.value or b"", change.version) for key, change in changes.items()
        }
        try:
            await self._sidecar.transact(INVENTORY_STORE, entries)
        except grpc.aio.AioRpcError as error:
            # Stores report a stale ETag in different ways, and after a lost reply the outcome is
            # unknown: only reading the keys again shows what happened.
            raise VersionConflict(error.details() or error.code().name) from error

    async def check(self) -> None:
        """Write a probe key, which fails if the database is read-only or full."""
        try:
            await self._sidecar.write_one(INVENTORY_STORE, PROBE_KEY, b"{}")
        except grpc.aio.AioRpcError as error:
            raise StoreUnavailable(error.details() or error.code().name) from error
