from pathlib import Path

import yaml

from orderflow_tools import dapr_files
from orderflow_tools.databases import Databases
from orderflow_tools.settings import Settings


def test_without_a_name_the_databases_are_named_after_the_project() -> None:
    """The URL of a server is enough."""
    databases = Databases.at("postgresql://me:secret@db:5432")

    assert databases.url("approvals") == "postgresql://me:secret@db:5432/orderflow_approvals"


def test_stock_is_stored_on_postgresql_and_no_file_contains_the_password(tmp_path: Path) -> None:
    """The component names the variable that contains the connection string."""
    settings = Settings.isolated(tmp_path, Databases("postgresql://me:secret@db", "mine"))
    settings.run.mkdir(parents=True)

    dapr_files.run_file(settings)

    store = yaml.safe_load((settings.run / "components" / "inventory-store.yaml").read_text())
    assert (store["spec"]["type"], store["spec"]["version"]) == ("state.postgresql", "v2")
    (connection,) = store["spec"]["metadata"]
    assert connection["envRef"] in settings.service_environment()
    assert store["scopes"] == ["inventory"]
    written = "".join(path.read_text() for path in settings.run.rglob("*.yaml"))
    assert "secret" not in written
