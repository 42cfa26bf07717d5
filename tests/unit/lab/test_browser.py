"""Which browser the pages are tested in."""

import shutil
from pathlib import Path

import pytest

from orderflow_lab import browser
from orderflow_lab.browser import PACKAGES, VARIABLE, find_browser
from orderflow_tools.errors import PlatformError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a folder of programs that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _program(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_browser_that_is_there_is_used(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed where there is a Chromium or a Chrome."""
    monkeypatch.setattr(browser, "install", pytest.fail)
    there = _program(programs / "google-chrome")

    assert find_browser({}) == there


def test_a_named_browser_comes_before_others(programs: Path) -> None:
    """The variable decides, by a path or by a name."""
    _program(programs / "chromium")
    named = _program(programs / "other")

    assert find_browser({VARIABLE: str(named)}) == named
    assert find_browser({VARIABLE: "other"}) == named


def test_a_named_browser_must_be_there(programs: Path) -> None:
    """A wrong name is told, and no other browser is taken instead."""
    _program(programs / "chromium")

    with pytest.raises(PlatformError, match=f"{VARIABLE} is nowhere"):
        find_browser({VARIABLE: "nowhere"})


@pytest.mark.usefixtures("programs")
def test_without_root_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot install packages is told what to install."""
    monkeypatch.setattr(browser, "is_root_on_debian", lambda: False)

    with pytest.raises(PlatformError, match="the package `chromium`"):
        find_browser({})


def test_root_gets_the_browser_of_debian(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is installed, and then used."""

    def install(*packages: str) -> None:
        assert packages == PACKAGES
        _program(programs / "chromium")

    monkeypatch.setattr(browser, "is_root_on_debian", lambda: True)
    monkeypatch.setattr(browser, "install", install)

    assert find_browser({}) == programs / "chromium"
    assert shutil.which("chromium")
