import os
import shutil
from pathlib import Path

import pytest
import yaml

from orderflow_tools import dapr_files, postgres
from orderflow_tools.databases import Databases
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings


def test_without_a_name_the_databases_are_called_after_the_project() -> None:
    """A URL of a server alone will do."""
    databases = Databases.at("postgresql://me:secret@db:5432")

    assert databases.url("approvals") == "postgresql://me:secret@db:5432/orderflow_approvals"


def test_stock_is_kept_on_postgresql_and_no_file_holds_the_password(tmp_path: Path) -> None:
    """The component names the variable of which the sidecar reads the connection string."""
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


def test_a_missing_server_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not install it is told what to install."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres, "DEBIAN_PROGRAMS", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(PlatformError, match="the package `postgresql`"):
        postgres.find_postgres()


def test_the_newest_server_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several versions that Debian has installed side by side, the newest serves."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres, "DEBIAN_PROGRAMS", tmp_path)
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()

    assert postgres.find_postgres() == tmp_path / "17" / "bin"
