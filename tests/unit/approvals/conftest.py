"""A database of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from approvals.store import SqlApprovalStore
from approvals.tables import TABLES
from orderflow_hosting.database import Database


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/approvals.db"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, TABLES)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqlApprovalStore:
    return SqlApprovalStore(database)
