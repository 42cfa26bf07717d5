"""Who decided, as the audit trail tells it, and under which name one may decide."""

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from approvals.api import approval_router, http_app
from approvals.domain import DecisionStands
from approvals.inbox import Inbox
from approvals.store import ACCESS, SqlApprovalStore
from fakes.access import settings
from fakes.guarded_app import NOON, Clock, People
from orderflow_contracts.access import Role
from orderflow_contracts.approvals import ApprovalRequested, Decision, DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.access import Access, Audit
from orderflow_hosting.database import Database

YES = {"approved": True, "approver": "ann", "comment": "fine"}


class NoCarrier:
    def offer(self, order_id: str) -> None:
        pass


@pytest.fixture
def inbox(store: SqlApprovalStore) -> Inbox:
    return Inbox(store, NoCarrier(), Clock())


async def ask(inbox: Inbox, order_id: str, levels: int = 1) -> None:
    await inbox.ask(
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


async def test_each_decision_is_in_the_trail(inbox: Inbox, database: Database) -> None:
    """However it came, with what it was about; a first approval of two is one, too."""
    for order_id, levels in (("o-1", 1), ("o-2", 2), ("o-3", 1)):
        await ask(inbox, order_id, levels)

    await inbox.decide_known("o-1", Decision(approved=False, approver="ann"), via="session")
    await inbox.decide_known("o-2", Decision(approved=True, approver="ann"), via="token")
    await inbox.decide_known("o-2", Decision(approved=True, approver="bob"))
    await inbox.decide(DecisionMade(order_id="o-3", approved=True, approver="carl"))

    assert await trail(database) == [
        ("o-1", "approval.deny", "ann", "session", "done"),
        ("o-2", "approval.approve", "ann", "token", "done"),
        ("o-2", "approval.approve", "bob", "open", "done"),
        ("o-3", "approval.approve", "carl", "topic", "done"),
    ]


async def test_what_changes_nothing_is_not_in_the_trail(inbox: Inbox, database: Database) -> None:
    """The same decision again is no other one, and one that was refused is none."""
    await ask(inbox, "o-1")
    decision = Decision(approved=True, approver="ann")
    await inbox.decide_known("o-1", decision)

    await inbox.decide_known("o-1", decision)
    with pytest.raises(DecisionStands):
        await inbox.decide_known("o-1", Decision(approved=False, approver="bob"))

    assert len(await trail(database)) == 1


async def test_a_decision_that_cannot_be_written_down_is_not_taken(
    inbox: Inbox, store: SqlApprovalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision and entry are one transaction."""
    await ask(inbox, "o-1")

    def cannot(*_: object, **__: object) -> None:
        raise ValueError("no trail")

    monkeypatch.setattr(store._audit, "entry_within", cannot)
    with pytest.raises(ValueError, match="no trail"):
        await inbox.decide_known("o-1", Decision(approved=True, approver="ann"))

    assert (await store.find("o-1")).made is None


async def test_a_token_decides_under_its_own_name_alone(
    inbox: Inbox, database: Database, tmp_path: Path
) -> None:
    """Nobody is two approvers; without a token the body's word counts."""
    people = People(tmp_path / "access.json")
    headers = {"Authorization": f"Bearer {people.give_token('ann', Role.APPROVER)}"}
    app = http_app(approval_router(inbox))
    Access(settings(people.path), "approvals", database, ACCESS).install(app)
    transport = httpx.ASGITransport(app)
    await ask(inbox, "o-1")
    await ask(inbox, "o-2")

    async with httpx.AsyncClient(transport=transport, base_url="http://approvals") as client:
        path = "/approvals/o-1/decision"
        other = await client.post(path, json={**YES, "approver": "bob"}, headers=headers)
        own = await client.post(path, json=YES, headers=headers)
        unknown = await client.post("/approvals/o-2/decision", json={**YES, "approver": "bob"})

    assert (other.status_code, other.json()["code"]) == (403, "NOT_ALLOWED")
    assert [error["field"] for error in other.json()["errors"]] == ["approver"]
    assert (own.status_code, unknown.status_code) == (200, 200)
    assert [entry[2:4] for entry in await trail(database)] == [("ann", "token"), ("bob", "open")]
