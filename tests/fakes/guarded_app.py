"""A small service with a route of each kind behind the real access, on a settable clock."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
from argon2 import PasswordHasher
from fastapi import APIRouter, FastAPI, Form, Request, Response
from sqlalchemy import MetaData

from fakes import access as fake_access
from fakes.schemas import FromModels
from orderflow_contracts.access import Role, new_token, token_digest
from orderflow_hosting import problems
from orderflow_hosting.access import (
    Access,
    AccessTables,
    Principal,
    access_tables,
    changes,
    form,
    name_subject,
    page,
    reads,
)
from orderflow_hosting.database import Database
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Site

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse"  # noqa: S105 # of nobody
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **units: float) -> None:
        """Advance the clock."""
        self.now += timedelta(**units)


@dataclass
class People:
    """An access file whose users all have the same password."""

    path: Path
    users: dict[str, tuple[Role, ...]] = field(default_factory=dict)
    tokens: dict[str, tuple[str, tuple[Role, ...]]] = field(default_factory=dict)

    def add(self, name: str, *roles: Role) -> None:
        """Add a user."""
        self.users[name] = roles
        self.write()

    def remove(self, name: str) -> None:
        """Remove a user."""
        del self.users[name]
        self.write()

    def give_token(self, name: str, *roles: Role) -> str:
        """Make a token."""
        token = new_token()
        self.tokens[token] = (name, roles)
        self.write()
        return token

    def write(self) -> None:
        """Replace the whole file, as the command line does."""
        users = [
            {"name": name, "roles": roles, "password_hash": HASH}
            for name, roles in self.users.items()
        ]
        tokens = [
            {"name": name, "roles": roles, "sha256": token_digest(token), "created_at": str(NOON)}
            for token, (name, roles) in self.tokens.items()
        ]
        self.replace(json.dumps({"users": users, "tokens": tokens}))

    def replace(self, text: str) -> None:
        """Replace the file by any text."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.path)


@dataclass
class Guarded:
    """The service, its users and its clock."""

    app: FastAPI
    access: Access
    people: People
    clock: Clock
    database: Database
    tables: AccessTables
    done: list[str]

    def client(self, peer: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        """Make a browser or a program at an address; a browser stores its cookies."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 123))
        return httpx.AsyncClient(transport=transport, base_url="http://orders", **options)

    async def signed_in(self, name: str) -> httpx.AsyncClient:
        """Make a browser with a signed-in user."""
        browser = self.client()
        data = {"name": name, "password": PASSWORD}
        response = await browser.post("/sign-in", data=data)
        assert response.status_code == 303, response.text
        return browser

    async def trail(self) -> list[tuple[str, str, str, str | None]]:
        """Return the audit trail, oldest first: actor, action, subject, outcome."""
        assert self.access.audit is not None
        entries = await self.access.audit.page(100, None)
        return [
            (entry.actor, entry.action, entry.subject, entry.outcome) for entry in entries[::-1]
        ]


@asynccontextmanager
async def guarded(folder: Path, **settings: str) -> AsyncIterator[Guarded]:
    """Run the service on its own database and access file."""
    people = People(folder / "access.json")
    people.write()
    clock, tables, done = Clock(), MetaData(), list[str]()
    own = access_tables(tables)
    database = Database(f"sqlite:///{folder / 'data.db'}", FromModels(tables))
    access = Access(fake_access.settings(people.path, **settings), "orders", database, own, clock)
    app = FastAPI(openapi_url=None, responses=problems.common())
    problems.install(app)
    site = Site("Orders")
    app.include_router(access.sign_in_router(site.page))
    app.include_router(access.audit_router())
    app.include_router(_routes(site, done))
    access.install(app)
    site.install(app, [reads()])
    try:
        yield Guarded(app, access, people, clock, database, own, done)
    finally:
        database.close()


def csrf_of(response: httpx.Response) -> str:
    """Return the form token of a page."""
    found = re.search(r'name="csrf" value="([^"]*)"', response.text)
    assert found, response.text
    return found[1]


def _routes(site: Site, done: list[str]) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> str:
        return "alive"

    @router.get("/things", dependencies=[reads()])
    async def things() -> list[str]:
        return done

    @router.post("/things/{thing}", dependencies=[changes(Role.OPERATOR, "thing.make")])
    async def make(thing: str, trouble: str = "", number: int = 0) -> str:
        _meet(trouble)
        done.append(f"{thing} {number}")
        return thing

    @router.post(
        "/orders", dependencies=[changes(Role.OPERATOR, "order.place", open_is_audited=False)]
    )
    async def place(request: Request) -> str:
        name_subject(request, "o-1")
        return "o-1"

    @router.post("/decide")
    async def decide(who: Annotated[Principal, changes(Role.APPROVER, None)]) -> str:
        return f"{who.name} {who.via}"

    @router.get("/", include_in_schema=False)
    async def first_page(request: Request, who: Annotated[Principal, page()]) -> Response:
        problem = Problem(200, "HELLO", f"hello {who.name}")
        return site.page(request, "problem.html", problem=problem)

    @router.post("/pages/{thing}", include_in_schema=False)
    async def submit(
        thing: str,
        who: Annotated[Principal, form(Role.OPERATOR, "thing.change")],
        words: Annotated[str, Form()],
    ) -> Response:
        if words == "again":
            return Response("once more", status_code=409)
        done.append(f"{who.name} {thing} {words}")
        return Response("changed")

    return router


def _meet(trouble: str) -> None:
    if trouble == "problem":
        raise Problem(409, "THING_EXISTS", "there is one")
    if trouble == "error":
        raise ValueError(trouble)
