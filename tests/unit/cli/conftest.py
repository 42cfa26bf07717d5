"""Fake services, and a fixture that runs the command against them."""

import io
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from fakes.command import Outcome, Run
from fakes.shop import Shop
from fakes.shop_server import serving
from fakes.workflow_server import ManagedWorkflows
from orderflow_cli.main import main
from orderflow_cli.settings import Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own folder for a run's files."""
    home = tmp_path / "home"
    monkeypatch.setenv("ORDERFLOW_HOME", str(home))
    return home


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def workflows() -> ManagedWorkflows:
    return ManagedWorkflows()


@pytest.fixture
def settings(
    shop: Shop, workflows: ManagedWorkflows, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Serve the fake services, and put their addresses in the environment."""
    with serving(shop, workflows) as settings:
        for field in fields(settings):
            if not field.name.endswith("_url"):
                continue
            monkeypatch.setenv(f"ORDERFLOW_{field.name.upper()}", getattr(settings, field.name))
        yield settings


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run_command(*arguments: str, typed: str = "") -> Outcome:
        stdin = io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as ending:
            main(arguments)
        printed = capsys.readouterr()
        return Outcome(int(ending.value.code or 0), printed.out, printed.err)

    return run_command
