"""One shared platform for all tests that leave it intact; the other tests start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_lab.postgres_server import PostgresServer
from orderflow_tools.brokers.names import BROKERS, REDIS
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.engine_platform import EnginePlatform
from system.shop import Shop
from system.stores import Isolated, on_broker, on_files, on_postgres, postgres_programs
from system.workflows import FAST, Workflows, restart_orders


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose where data is stored, and the broker for events."""
    parser.addoption("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.addoption("--broker", choices=BROKERS, default=REDIS)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for all tests that leave it intact."""
    with PostgresServer(postgres_programs()) as server:
        yield server


@pytest.fixture(scope="session")
def isolated(request: pytest.FixtureRequest) -> Isolated:
    """Return the factory of isolated platform settings for the chosen store and broker."""
    is_on_files = request.config.getoption("--store") == "sqlite"
    made = on_files if is_on_files else on_postgres(request.getfixturevalue("postgres"))
    return on_broker(request.config.getoption("--broker"), made)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Platform]:
    """Run the shared platform on its own ports and data."""
    with Platform(isolated(tmp_path_factory.mktemp("platform"))) as running:
        yield running


@pytest.fixture(scope="session")
def engine_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePlatform]:
    """Run the engine without services, for the tests' own workers and clients."""
    with EnginePlatform(Settings.isolated(tmp_path_factory.mktemp("engine"))) as running:
        yield running


@pytest.fixture
def shop(platform: Platform) -> Iterator[Shop]:
    """Use the shared platform with the opening stock."""
    shop = Shop(platform)
    shop.restock()
    yield shop
    shop.close()


@pytest.fixture
def own_shop(tmp_path: Path, request: pytest.FixtureRequest, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform for one test; `indirect` parameters are settings of its services."""
    environment: dict[str, str] = getattr(request, "param", {})
    with Platform(isolated(tmp_path / "platform", **environment)) as running:
        shop = Shop(running)
        yield shop
        shop.close()


@pytest.fixture(scope="module")
def quick_platform(
    tmp_path_factory: pytest.TempPathFactory, isolated: Isolated
) -> Iterator[Platform]:
    """Run a platform whose practice workflows have short waits."""
    with Platform(isolated(tmp_path_factory.mktemp("quick"), **FAST)) as running:
        yield running


@pytest.fixture(scope="module", params=["as started", "after a restart of orders and its sidecar"])
def workflows(quick_platform: Platform, request: pytest.FixtureRequest) -> Iterator[Workflows]:
    """Manage workflows; each test runs twice, the second time after a restart."""
    if request.param != "as started":
        restart_orders(quick_platform)
    shop = Shop(quick_platform)
    shop.restock()
    yield Workflows(shop)
    shop.close()
