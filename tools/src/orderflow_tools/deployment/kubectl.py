"""Finds the user's kubectl, which they have for their own cluster."""

import shutil
from pathlib import Path

from orderflow_tools.errors import PlatformError


def find_kubectl() -> Path:
    """Return the kubectl on the PATH; raise PlatformError if there is none."""
    if found := shutil.which("kubectl"):
        return Path(found)
    raise PlatformError("There is no kubectl on the PATH. Install it, and try again.")
