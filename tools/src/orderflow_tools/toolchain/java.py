"""Java and Maven: those on this machine, or Debian's, installed if need be."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools import debian
from orderflow_tools.errors import PlatformError

OLDEST_JAVA: Final = 17
"""The oldest Java that runs the broker of Kafka 4."""
JRE: Final = "default-jre-headless"
AUTOMATIC: Final = "As root on Debian and its derivatives, it is installed automatically."


@dataclass(frozen=True)
class Java:
    """A Java program, and where it comes from, in words."""

    program: Path
    origin: str


def find_java(environment: Mapping[str, str] = os.environ) -> Java:
    """Return a Java that is new enough, installed if need be. Raises PlatformError."""
    java = _found_java(environment)
    if java is None and debian.is_root_on_debian():
        debian.install(JRE)
        java = _found_java(environment)
    if java is None:
        raise PlatformError(
            f"Kafka needs Java {OLDEST_JAVA} or newer, and there is none in JAVA_HOME or on the "
            f"PATH: install it, and try again. {AUTOMATIC}"
        )
    return java


def find_maven() -> Path:
    """Return the Maven on the PATH, installed if need be. Raises PlatformError."""
    found = shutil.which("mvn")
    if found is None and debian.is_root_on_debian():
        debian.install("maven")
        found = shutil.which("mvn")
    if found is None:
        raise PlatformError(
            "Fetching Kafka needs Maven, and there is no mvn on the PATH: install it, and try "
            f"again. {AUTOMATIC}"
        )
    return Path(found)


def java_version(text: str) -> int | None:
    """Return the feature release in the output of `java -version`.

    >>> java_version('openjdk version "17.0.15" 2025-04-15')
    17
    >>> java_version('java version "1.8.0_402"')
    8
    """
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None


def _found_java(environment: Mapping[str, str]) -> Java | None:
    home = environment.get("JAVA_HOME")
    for path in (home and str(Path(home, "bin")), environment.get("PATH")):
        found = shutil.which("java", path=path) if path else None
        version = _version_of(Path(found)) if found else None
        if found and version and version >= OLDEST_JAVA:
            return Java(Path(found), f"Java {version} ({found})")
    return None


def _version_of(program: Path) -> int | None:
    try:
        outcome = subprocess.run(
            [program, "-version"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return java_version(outcome.stdout)
