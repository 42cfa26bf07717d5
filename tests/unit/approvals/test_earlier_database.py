"""Approvals works with the migrated database of an earlier version."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from approvals.decisions.store import SqlApprovalStore
from approvals.domain import AlreadyDecided
from approvals.tables import SCHEMA
from fakes.migrated_services import EARLIER, earlier_database
from fakes.schemas import migrated
from orderflow_contracts.approvals import ApprovalStatus, Decision
from orderflow_hosting.database import Database

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("version", EARLIER)
async def test_a_request_of_an_earlier_version_is_decided(version: str, tmp_path: Path) -> None:
    """A pending request can be decided, and earlier decisions stand."""
    path = tmp_path / "approvals.db"
    with sqlite3.connect(path) as file:
        file.executescript(earlier_database("approvals", version, "sqlite"))
    file.close()
    database = Database(migrated(f"sqlite:///{path}", SCHEMA), SCHEMA)
    store, decision = SqlApprovalStore(database), Decision(approved=True, approver="bob")
    pending = await store.list(ApprovalStatus.PENDING, NOW, 10, None)
    await store.backfill(10)

    await store.change("waits-1", lambda case: case.decide(decision, NOW))
    with pytest.raises(AlreadyDecided):
        await store.change("decided-1", lambda case: case.decide(decision, NOW))

    approved = await store.list(ApprovalStatus.APPROVED, NOW, 10, None)
    withdrawn = await store.list(ApprovalStatus.WITHDRAWN, NOW, 10, None)
    undelivered = await store.undelivered()
    database.close()
    assert [case.order_id for case in pending] == ["waits-1"]
    assert {case.order_id for case in approved} == {"waits-1", "decided-1"}
    assert [case.order_id for case in withdrawn] == ["gone-1"]
    assert sorted(undelivered) == ["decided-1", "waits-1"]
