"""Installs packages of Debian and its derivatives, for root only."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orderflow_tools.console import print_line
from orderflow_tools.errors import PlatformError

POLICY: Final = Path("/usr/sbin/policy-rc.d")
"""If this program exists, Debian asks it whether a package may start its service."""
KEEP_CONFIGURATION: Final = ("-o", "Dpkg::Options::=--force-confold")
"""Leaves existing configuration files as they are."""


def is_root_on_debian() -> bool:
    """Return whether Debian packages can be installed here."""
    return sys.platform == "linux" and os.getuid() == 0 and shutil.which("apt-get") is not None


def install(*packages: str) -> None:
    """Install Debian packages without recommended ones, and start none of their services."""
    print_line(
        f"Installing {', '.join(packages)} from Debian (apt-get, without recommended packages)."
    )
    command = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *KEEP_CONFIGURATION]
    with _no_service_starts():
        for further in (["update"], ["install", "--no-install-recommends", *packages]):
            outcome = subprocess.run(
                [*command, *further],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
    if outcome.returncode:
        raise PlatformError(
            f"apt-get could not install {', '.join(packages)}:\n{outcome.stderr[-2000:]}"
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    if POLICY.exists():
        yield  # the policy of this machine stays
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
