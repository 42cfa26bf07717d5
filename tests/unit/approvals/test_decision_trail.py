"""Decisions in the audit trail, and the name in which a caller may decide."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from approvals.decisions.api import approval_router, http_app
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.domain import AlreadyDecided
from approvals.tables import ACCESS
from fakes.access import settings
from fakes.guarded_app import NOON, Clock, People
from orderflow_contracts.access import Role
from orderflow_contracts.approvals import ApprovalRequested, Decision, DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.access import Access, Audit
from orderflow_hosting.database import Database

YES = {"approved": True, "approver": "ann", "comment": "fine"}


class NullSender:
    def send(self, order_id: str) -> None:
        pass


@pytest.fixture
def service(store: SqlApprovalStore) -> ApprovalService:
    return ApprovalService(store, NullSender(), Clock())


async def add_request(service: ApprovalService, order_id: str, levels: int = 1) -> None:
    await service.add_request(
        ApprovalRequested(
            order_id=order_id,
            customer_id="carol",
            lines=(OrderLine(item="cars", quantity=4),),
            total_cents=60_000_00,
            expires_at=NOON + timedelta(hours=1),
            levels=levels,
        )
    )


async def trail(database: Database) -> list[tuple[str, ...]]:
    entries = await Audit(database, ACCESS).page(100, None)
    return [
        (entry.subject, entry.action, entry.actor, entry.via, str(entry.outcome))
        for entry in entries[::-1]
    ]


async def test_each_decision_is_in_the_trail(service: ApprovalService, database: Database) -> None:
    """Every decision is recorded with its channel, including the first of two approvals."""
    for order_id, levels in (("o-1", 1), ("o-2", 2), ("o-3", 1)):
        await add_request(service, order_id, levels)

    await service.decide_existing("o-1", Decision(approved=False, approver="ann"), via="session")
    await service.decide_existing("o-2", Decision(approved=True, approver="ann"), via="token")
    await service.decide_existing("o-2", Decision(approved=True, approver="bob"))
    await service.decide(DecisionMade(order_id="o-3", approved=True, approver="carl"))

    assert await trail(database) == [
        ("o-1", "approval.deny", "ann", "session", "done"),
        ("o-2", "approval.approve", "ann", "token", "done"),
        ("o-2", "approval.approve", "bob", "open", "done"),
        ("o-3", "approval.approve", "carl", "topic", "done"),
    ]


async def test_only_changes_are_in_the_trail(service: ApprovalService, database: Database) -> None:
    """Repeated and rejected decisions are not recorded."""
    await add_request(service, "o-1")
    decision = Decision(approved=True, approver="ann")
    await service.decide_existing("o-1", decision)

    await service.decide_existing("o-1", decision)
    with pytest.raises(AlreadyDecided):
        await service.decide_existing("o-1", Decision(approved=False, approver="bob"))

    assert len(await trail(database)) == 1


async def test_a_decision_without_an_audit_entry_is_not_stored(
    service: ApprovalService, store: SqlApprovalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision and its entry are written in one transaction."""
    await add_request(service, "o-1")

    def fail(*_: object, **__: object) -> None:
        raise ValueError("no trail")

    monkeypatch.setattr(store._audit, "entry_within", fail)
    with pytest.raises(ValueError, match="no trail"):
        await service.decide_existing("o-1", Decision(approved=True, approver="ann"))

    assert (await store.find("o-1")).final is None


async def test_a_token_can_decide_only_in_its_own_name(
    service: ApprovalService, database: Database, tmp_path: Path
) -> None:
    """One token cannot act as two approvers; without a token the given name is used."""
    people = People(tmp_path / "access.json")
    headers = {"Authorization": f"Bearer {people.give_token('ann', Role.APPROVER)}"}
    app = http_app(approval_router(service))
    Access(settings(people.path), "approvals", database, ACCESS).install(app)
    transport = httpx.ASGITransport(app)
    await add_request(service, "o-1")
    await add_request(service, "o-2")

    async with httpx.AsyncClient(transport=transport, base_url="http://approvals") as client:
        path = "/approvals/o-1/decision"
        other = await client.post(path, json={**YES, "approver": "bob"}, headers=headers)
        own = await client.post(path, json=YES, headers=headers)
        unknown = await client.post("/approvals/o-2/decision", json={**YES, "approver": "bob"})

    assert (other.status_code, other.json()["code"]) == (403, "NOT_ALLOWED")
    assert [error["field"] for error in other.json()["errors"]] == ["approver"]
    assert (own.status_code, unknown.status_code) == (200, 200)
    assert [entry[2:4] for entry in await trail(database)] == [("ann", "token"), ("bob", "open")]
