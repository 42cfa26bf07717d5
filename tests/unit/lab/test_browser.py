"""Which browser the tests of the pages use."""

import shutil
from pathlib import Path

import pytest

from orderflow_lab import browser
from orderflow_lab.browser import PACKAGES, VARIABLE, find_browser
from orderflow_tools.errors import PlatformError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_an_installed_browser_is_used(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed if there is a Chromium or a Chrome."""
    monkeypatch.setattr(browser, "install", pytest.fail)
    there = _program(programs / "google-chrome")

    assert find_browser({}) == there


def test_a_named_browser_comes_before_others(programs: Path) -> None:
    """The variable takes precedence, with a path or a name."""
    _program(programs / "chromium")
    named = _program(programs / "other")

    assert find_browser({VARIABLE: str(named)}) == named
    assert find_browser({VARIABLE: "other"}) == named


def test_a_named_browser_must_exist(programs: Path) -> None:
    """A wrong name is reported, and no other browser is used instead."""
    _program(programs / "chromium")

    with pytest.raises(PlatformError, match=f"{VARIABLE} is nowhere"):
        find_browser({VARIABLE: "nowhere"})


@pytest.mark.usefixtures("programs")
def test_without_root_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users who cannot install packages learn what is missing."""
    monkeypatch.setattr(browser, "is_root_on_debian", lambda: False)

    with pytest.raises(PlatformError, match="the package `chromium`"):
        find_browser({})


def test_root_gets_debians_browser(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is installed, and then used."""

    def install(*packages: str) -> None:
        assert packages == PACKAGES
        _program(programs / "chromium")

    monkeypatch.setattr(browser, "is_root_on_debian", lambda: True)
    monkeypatch.setattr(browser, "install", install)

    assert find_browser({}) == programs / "chromium"
    assert shutil.which("chromium")
