"""Visitors with sessions for tests of pages, without passwords."""

import json
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from fakes.access import settings
from orderflow_contracts.access import Role
from orderflow_hosting import problems
from orderflow_hosting.access import Access, AccessTables, Audit
from orderflow_hosting.access.sessions import Sessions
from orderflow_hosting.database import Database
from orderflow_hosting.web import Site

PEOPLE = {"vera": [Role.VIEWER], "olga": [Role.OPERATOR], "adam": [Role.APPROVER]}
APP = "orders"
NOBODYS_HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$YW55dGhpbmc"


class Visitor:
    """A person's browser: it sends the session's cookie, and its forms send the form token."""

    def __init__(self, client: httpx.AsyncClient, csrf: str) -> None:
        self.client = client
        self.csrf = csrf

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Submit a form of a page."""
        return await self.client.post(path, data={"csrf": self.csrf, **fields})


class Visited:
    """A site with its pages and its visitors."""

    def __init__(self, site: Site, database: Database, tables: AccessTables, folder: Path) -> None:
        file = folder / "access.json"
        users = [
            {"name": name, "roles": roles, "password_hash": NOBODYS_HASH}
            for name, roles in PEOPLE.items()
        ]
        file.write_text(json.dumps({"users": users}))
        file.chmod(0o600)
        self._access = Access(settings(file), APP, database, tables)
        assert self._access.audit is not None
        self.audit: Audit = self._access.audit
        self._sessions = Sessions(database, tables, 8)
        self._site = site
        self._app = FastAPI()

    def serve(self, *routers: APIRouter) -> None:
        """Serve these pages, and errors as pages."""
        problems.install(self._app)
        for router in routers:
            self._app.include_router(router)
        self._access.install(self._app)
        self._site.install(self._app)

    async def visitor(self, name: str | None) -> Visitor:
        """Make a visitor, signed in if a name is given."""
        cookies, csrf = {}, ""
        if name is not None:
            cookie, csrf = await self._sessions.open(name, "session")
            cookies = {f"orderflow_{APP}_1_session": cookie}
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url=f"http://{APP}",
            cookies=cookies,
            headers={"Accept": "text/html"},
        )
        return Visitor(client, csrf)
