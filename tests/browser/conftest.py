"""One shared platform and browser for all tests of the pages that leave them intact.

Playwright's synchronous API keeps an event loop in this thread, so it is closed after the tests of
this folder: tests of other folders run asynchronous code.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browser.lively import Lively
from browser.people import write_access_file
from browser.visitors import PATIENCE, Visitors
from isolation import on_the_machine
from orderflow_lab.browser import find_browser
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.shop import Shop

ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Requests of a page to other hosts never leave this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
FONTS = Path(__file__).with_name("fonts.conf")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Run the machine's Chromium."""
    as_root = ["--no-sandbox"] if os.getuid() == 0 else []  # Chromium has none for root
    with on_the_machine():
        browser = find_browser()
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        program = playwright.chromium.launch(
            executable_path=browser,
            args=[*ARGUMENTS, *as_root],
            env={**os.environ, "FONTCONFIG_FILE": str(FONTS)},
        )
        yield program
        program.close()


@pytest.fixture(scope="package")
def access_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the access file of the test users."""
    return write_access_file(tmp_path_factory.mktemp("access") / "access.json")


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory, access_file: Path) -> Iterator[Platform]:
    """Run the shared platform on its own ports and data."""
    settings = isolated(tmp_path_factory.mktemp("platform"), access_file)
    with Platform(settings) as running:
        yield running


OwnPlatform = Callable[..., AbstractContextManager[Platform]]


@pytest.fixture
def own_platform(tmp_path: Path, access_file: Path) -> OwnPlatform:
    """Run a platform for one test, with these settings of its services."""

    @contextmanager
    def start(**environment: str) -> Iterator[Platform]:
        with Platform(isolated(tmp_path / "platform", access_file, **environment)) as running:
            yield running

    return start


@pytest.fixture
def shop(platform: Platform) -> Iterator[Shop]:
    """Use the shared platform with the opening stock."""
    with closing(Shop(platform)) as shop:
        shop.restock()
        yield shop


@pytest.fixture(scope="package")
def lively(platform: Platform) -> Lively:
    """Fill every page of the shared platform with content."""
    return Lively.made(platform)


@pytest.fixture(scope="package")
def everybody(browser: Browser, platform: Platform) -> Visitors:
    """Remember the sessions of users who have signed in."""
    return Visitors(browser, platform)


@pytest.fixture
def visitors(everybody: Visitors) -> Iterator[Visitors]:
    """Make visitors with a browser each; at the end, no page may have reported a fault."""
    yield everybody
    everybody.close()


def isolated(folder: Path, access_file: Path, **environment: str) -> Settings:
    """Make the settings of a platform in which people can sign in."""
    return Settings.isolated(folder, ORDERFLOW_ACCESS_FILE=str(access_file), **environment)
