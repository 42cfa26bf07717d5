"""Finds the browser for the tests of the pages, or installs it."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError

VARIABLE: Final = "ORDERFLOW_BROWSER"
"""The environment variable with the path or the name of another browser."""
KNOWN: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES: Final = ("chromium", "fonts-inter")
"""Debian's browser, and a font similar to the default one of most machines."""


def find_browser(environment: Mapping[str, str] = os.environ) -> Path:
    """Return a Chromium: by the variable, on the PATH, or installed from Debian for root.

    Raises PlatformError, which says what to install.
    """
    if named := environment.get(VARIABLE):
        if found := shutil.which(named):
            return Path(found)
        raise PlatformError(f"{VARIABLE} is {named}, but there is no such program.")
    return _found() or _installed()


def _found() -> Path | None:
    programs = (shutil.which(name) for name in KNOWN)
    return next((Path(program) for program in programs if program), None)


def _installed() -> Path:
    if not is_root_on_debian():
        raise PlatformError(
            f"There is no Chromium ({', '.join(KNOWN)}) on the PATH. Install it (on Debian the "
            f"package `chromium`), or set {VARIABLE} to one, and try again."
        )
    install(*PACKAGES)
    found = _found()
    if found is None:
        raise PlatformError("apt-get has installed `chromium`, but it is not on the PATH.")
    return found
