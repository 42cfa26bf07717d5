"""One platform for all tests that do no harm to it; others start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.shop import Shop
from system.workflows import FAST, Workflows, restart_orders


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


@pytest.fixture(scope="module")
def quick_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Run a platform whose workflows to practise on do not take their time."""
    with Platform(Settings.isolated(tmp_path_factory.mktemp("quick"), **FAST)) as running:
        yield running


@pytest.fixture(scope="module", params=["as started", "after a restart of orders and its sidecar"])
def workflows(quick_platform: Platform, request: pytest.FixtureRequest) -> Iterator[Workflows]:
    """Manage workflows; every test that does is run twice, the second time after a restart."""
    if request.param != "as started":
        restart_orders(quick_platform)
    shop = Shop(quick_platform)
    shop.restock()
    yield Workflows(shop)
    shop.close()
