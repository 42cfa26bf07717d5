"""How the PostgreSQL server of the tests is found."""

import os
import shutil
from pathlib import Path

import pytest

from orderflow_lab import postgres_server
from orderflow_tools.errors import PlatformError


def test_a_missing_server_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users who cannot install it learn which package is missing."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres_server, "DEBIAN_PROGRAMS", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(PlatformError, match="the package `postgresql`"):
        postgres_server.find_postgres()


def test_the_newest_server_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several installed versions, the newest is used."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres_server, "DEBIAN_PROGRAMS", tmp_path)
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()

    assert postgres_server.find_postgres() == tmp_path / "17" / "bin"
