"""A small guarded service for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.guarded_app import Guarded, guarded


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Serve with closed APIs."""
    async with guarded(tmp_path, ORDERFLOW_APIS_CLOSED="true") as service:
        yield service


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Serve with open APIs, as on loopback."""
    async with guarded(tmp_path) as service:
        yield service
