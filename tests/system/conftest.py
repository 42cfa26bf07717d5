"""One platform for all tests that do no harm to it; others start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.shop import Shop


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Run the platform on ports and data of its own."""
    with Platform(Settings.isolated(tmp_path_factory.mktemp("platform"))) as running:
        yield running


@pytest.fixture
def shop(platform: Platform) -> Iterator[Shop]:
    """Use the shared platform, with the opening stock on the shelf."""
    shop = Shop(platform)
    shop.restock()
    yield shop
    shop.close()


@pytest.fixture
def own_shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Run a platform for one test; `indirect` parameters are variables for its services."""
    environment: dict[str, str] = getattr(request, "param", {})
    with Platform(Settings.isolated(tmp_path / "platform", **environment)) as running:
        shop = Shop(running)
        yield shop
        shop.close()
