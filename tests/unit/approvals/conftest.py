"""A separate database for each test, and the website on it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from approvals.decisions.store import SqlApprovalStore
from approvals.tables import TABLES
from fakes.approval_site import ApprovalSite, Clock, Person
from fakes.schemas import FromModels
from orderflow_hosting.database import Database


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/approvals.db"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, FromModels(TABLES))
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqlApprovalStore:
    return SqlApprovalStore(database)


@pytest.fixture
def site(tmp_path: Path, database: Database) -> ApprovalSite:
    return ApprovalSite(tmp_path, database, Clock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC)))


@pytest.fixture
async def ada(site: ApprovalSite) -> AsyncIterator[Person]:
    """Sign in an approver."""
    async with site.signed_in("ada") as person:
        yield person


@pytest.fixture
async def bob(site: ApprovalSite) -> AsyncIterator[Person]:
    """Sign in another approver."""
    async with site.signed_in("bob") as person:
        yield person


@pytest.fixture
async def vera(site: ApprovalSite) -> AsyncIterator[Person]:
    """Sign in a viewer, who may not decide."""
    async with site.signed_in("vera") as person:
        yield person


@pytest.fixture
async def otto(site: ApprovalSite) -> AsyncIterator[Person]:
    """Sign in an operator, who may not decide."""
    async with site.signed_in("otto") as person:
        yield person
