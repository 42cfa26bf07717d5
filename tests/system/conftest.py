"""One platform for all tests that do no harm to it; others start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_lab.postgres_server import PostgresServer
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.engine_platform import EnginePlatform
from system.shop import Shop
from system.stores import Isolated, on_files, on_postgres, postgres_programs
from system.workflows import FAST, Workflows, restart_orders


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the services keep their data in SQLite files, or on a PostgreSQL server."""
    parser.addoption("--store", choices=("sqlite", "postgresql"), default="sqlite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for all tests that do no harm to it."""
    with PostgresServer(postgres_programs()) as server:
        yield server


@pytest.fixture(scope="session")
def isolated(request: pytest.FixtureRequest) -> Isolated:
    """Make settings of platforms, each with databases of its own, in the store that was chosen."""
    if request.config.getoption("--store") == "sqlite":
        return on_files
    return on_postgres(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Platform]:
    """Run the platform on ports and data of its own."""
    with Platform(isolated(tmp_path_factory.mktemp("platform"))) as running:
        yield running


@pytest.fixture(scope="session")
def engine_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePlatform]:
    """Run an engine alone, for workers and clients of the tests' own."""
    with EnginePlatform(Settings.isolated(tmp_path_factory.mktemp("engine"))) as running:
        yield running


@pytest.fixture
def shop(platform: Platform) -> Iterator[Shop]:
    """Use the shared platform, with the opening stock on the shelf."""
    shop = Shop(platform)
    shop.restock()
    yield shop
    shop.close()


@pytest.fixture
def own_shop(tmp_path: Path, request: pytest.FixtureRequest, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform for one test; `indirect` parameters are variables for its services."""
    environment: dict[str, str] = getattr(request, "param", {})
    with Platform(isolated(tmp_path / "platform", **environment)) as running:
        shop = Shop(running)
        yield shop
        shop.close()


@pytest.fixture(scope="module")
def quick_platform(
    tmp_path_factory: pytest.TempPathFactory, isolated: Isolated
) -> Iterator[Platform]:
    """Run a platform whose workflows to practise on do not take their time."""
    with Platform(isolated(tmp_path_factory.mktemp("quick"), **FAST)) as running:
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
