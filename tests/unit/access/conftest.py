"""A small guarded service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.guarded_app import Guarded, guarded


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Serve with APIs that require sign-in."""
    folder = tmp_path / "closed"
    folder.mkdir()
    async with guarded(folder, ORDERFLOW_APIS_CLOSED="true") as service:
        yield service


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Serve with open APIs, as on loopback."""
    folder = tmp_path / "opened"
    folder.mkdir()
    async with guarded(folder) as service:
        yield service
