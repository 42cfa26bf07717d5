"""The site of approvals, with signed-in visitors."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from approvals.decisions.api import approval_router, http_app
from approvals.decisions.feed import ChangeFeed
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from approvals.history.store import DecisionHistory
from approvals.pages import AUDIT_PATH, ApprovalPages, approvals_site, page_router
from approvals.tables import ACCESS
from fakes.access import settings
from orderflow_contracts.access import AccessFile, Role, User
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, Decision
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.access import Access, Audit, reads
from orderflow_hosting.database import Database
from orderflow_hosting.web.audit_pages import audit_pages

PASSWORD = "correct horse battery staple"  # noqa: S105 # used only in these tests
ROLES = {
    "ada": (Role.APPROVER,),
    "bob": (Role.APPROVER,),
    "vera": (Role.VIEWER,),
    "otto": (Role.OPERATOR,),
}
BOARD = "http://board.example"


class Clock:
    """A clock that stands still until it is advanced."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **time: float) -> None:
        self.time += timedelta(**time)


class NullSender:
    """Delivers nothing."""

    def send(self, order_id: str) -> None:
        del order_id


class Person:
    """A user whose browser runs no scripts."""

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self.name = name
        self.client = client

    async def get(self, path: str, status: int = 200, **headers: str) -> str:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, path: str, headers: Any = None, **fields: Any) -> httpx.Response:
        """Submit a form with the session's CSRF token."""
        csrf = re.search(r'name="csrf" value="([^"]+)"', await self.get("/inbox/decided"))
        assert csrf is not None
        return await self.client.post(path, data={"csrf": csrf[1], **fields}, headers=headers)

    async def decide(self, order_id: str, decision: str, comment: str = "") -> httpx.Response:
        path = f"/inbox/requests/{order_id}/decision"
        return await self.send(path, decision=decision, comment=comment)


class ApprovalSite:
    """The application on real tables, without a sidecar and with a settable clock."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        clock: Clock,
        board: str | None = BOARD,
        confirm_from_cents: int = 100_000_00,
    ) -> None:
        self.clock = clock
        store = SqlApprovalStore(database)
        self.service = ApprovalService(store, NullSender(), clock)
        self.feed = ChangeFeed(store, clock)
        self.access = Access(settings(_access_file(folder)), "approvals", database, ACCESS)
        site = approvals_site(board)
        pages = ApprovalPages(
            store, DecisionHistory(database), site, confirm_from_cents, board, clock
        )
        self.app: FastAPI = http_app(
            approval_router(self.service),
            self.access.sign_in_router(site.page),
            page_router(pages, self.service, self.feed, self.access),
            audit_pages(site, Audit(database, ACCESS), AUDIT_PATH),
        )
        self.access.install(self.app)
        site.install(self.app, [reads()])

    @asynccontextmanager
    async def signed_in(self, name: str) -> AsyncIterator[Person]:
        async with self.browser() as client:
            answer = await client.post("/sign-in", data={"name": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield Person(name, client)

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://approvals",
            headers={"Accept": "text/html"},
        )

    async def add_request(self, order_id: str, minutes: float = 600, **more: Any) -> None:
        request: dict[str, Any] = {
            "order_id": order_id,
            "customer_id": "carol",
            "lines": [OrderLine(item="cars", quantity=4)],
            "total_cents": 60_000_00,
            "expires_at": self.clock() + timedelta(minutes=minutes),
            **more,
        }
        await self.service.add_request(ApprovalRequested.model_validate(request))

    async def decide(self, order_id: str, approver: str, comment: str = "", **more: bool) -> None:
        decision = {"approved": True, "approver": approver, "comment": comment, **more}
        await self.service.decide_existing(order_id, Decision.model_validate(decision))

    async def withdraw(self, order_id: str, reason: str) -> None:
        await self.service.withdraw(ApprovalWithdrawn(order_id=order_id, reason=reason))


def _access_file(folder: Path) -> Path:
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    users = tuple(
        User(name=name, roles=roles, password_hash=hashed) for name, roles in ROLES.items()
    )
    path = folder / "access.json"
    path.write_text(AccessFile(users=users).model_dump_json())
    return path
