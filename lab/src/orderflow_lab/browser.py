"""Finds the browser that the pages are tested in, or installs it."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError

VARIABLE: Final = "ORDERFLOW_BROWSER"
"""The environment variable that names another browser: a program's path, or its name."""
KNOWN: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES: Final = ("chromium", "fonts-inter")
"""Debian's browser, and letters much like those that most people's machines show."""


def find_browser(environment: Mapping[str, str] = os.environ) -> Path:
    """Return a Chromium: the one that was named, one on the PATH, or Debian's, installed for root.

    Raises PlatformError, which says what to install.
    """
    if named := environment.get(VARIABLE):
        if found := shutil.which(named):
            return Path(found)
        raise PlatformError(f"{VARIABLE} names {named}, and there is no such program.")
    return _found() or _installed()


def _found() -> Path | None:
    programs = (shutil.which(name) for name in KNOWN)
    return next((Path(program) for program in programs if program), None)


def _installed() -> Path:
    if not is_root_on_debian():
        raise PlatformError(
            f"There is no Chromium ({', '.join(KNOWN)}) on the PATH. Install it (on Debian the "
            f"package `chromium`), or name one by {VARIABLE}, and try again."
        )
    install(*PACKAGES)
    found = _found()
    if found is None:
        raise PlatformError("apt-get has installed `chromium`, but it is not on the PATH.")
    return found
