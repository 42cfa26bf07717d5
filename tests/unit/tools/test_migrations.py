import os
from argparse import Namespace
from pathlib import Path

import pytest

from orderflow_contracts.names import SERVICES
from orderflow_tools.errors import PlatformError
from orderflow_tools.main import migrate
from orderflow_tools.migrations import migrating
from orderflow_tools.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings.isolated(tmp_path)
    settings.logs.mkdir()
    return settings


def environment(**urls: str) -> dict[str, str]:
    return {**os.environ, **{f"{app.upper()}_DATABASE_URL": url for app, url in urls.items()}}


def test_databases_are_migrated_side_by_side(settings: Settings, tmp_path: Path) -> None:
    """What follows the wait finds the tables of every service that has some."""
    files = {app: tmp_path / f"{app}.db" for app in ("orders", "approvals")}
    urls = {app: f"sqlite:///{file}" for app, file in files.items()}

    with migrating(settings, environment(**urls)) as wait:
        wait()

    for app, file in files.items():
        assert file.exists()
        assert "schema_migrated" in (settings.logs / f"{app}-migration.log").read_text()


def test_a_migration_that_fails_says_why(settings: Settings) -> None:
    """The last lines of its log are shown, and where the rest is."""
    with (
        migrating(settings, environment(orders="oracle://host/orders")) as wait,
        pytest.raises(PlatformError) as failure,
    ):
        wait()

    assert "The migration of the database of orders failed" in str(failure.value)
    assert "ORDERS_DATABASE_URL: must be a URL such as" in str(failure.value)
    assert str(settings.logs / "orders-migration.log") in str(failure.value)


def test_a_start_that_fails_leaves_no_migration_behind(settings: Settings, tmp_path: Path) -> None:
    """It is killed, and has done nothing or all."""
    url = f"sqlite:///{tmp_path}/orders.db"

    with pytest.raises(KeyboardInterrupt), migrating(settings, environment(orders=url)):
        raise KeyboardInterrupt

    with migrating(settings, environment(orders=url)) as wait:
        wait()


def test_the_command_migrates_every_service_with_tables(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the databases from the environment, as the services do."""
    files = {app: tmp_path / f"{app}.db" for app, each in SERVICES.items() if each.has_tables}
    for app, file in files.items():
        monkeypatch.setenv(f"{app.upper()}_DATABASE_URL", f"sqlite:///{file}")

    assert migrate(settings, Namespace()) == 0

    assert all(file.exists() for file in files.values())


def test_the_command_stops_at_a_migration_that_fails(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code is that of the service, and no other database is touched."""
    monkeypatch.setenv("ORDERS_DATABASE_URL", "oracle://host/orders")
    monkeypatch.setenv("APPROVALS_DATABASE_URL", f"sqlite:///{tmp_path}/approvals.db")

    assert migrate(settings, Namespace()) != 0

    assert not (tmp_path / "approvals.db").exists()
