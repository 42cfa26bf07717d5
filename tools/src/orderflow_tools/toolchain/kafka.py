"""Apache Kafka: its jars, fetched with Maven, and the Java that runs them."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orderflow_tools.console import print_line
from orderflow_tools.errors import PlatformError
from orderflow_tools.programs import run_to_end
from orderflow_tools.toolchain.cache import cache_folder, key_of, make_once
from orderflow_tools.toolchain.java import find_java, find_maven

KAFKA_VERSION: Final = "4.4.0"
PINS: Final = ("pom.xml", "jars.sha256")


@dataclass(frozen=True)
class Kafka:
    """The Java program, the folder of the jars, and where they come from, in words."""

    java: Path
    jars: Path
    origin: str


def find_kafka(root: Path, environment: Mapping[str, str] = os.environ) -> Kafka:
    """Return Kafka in the pinned version, fetched if need be. Raises PlatformError."""
    java = find_java(environment)
    pins = root / "tools" / "kafka-toolchain"
    title = f"Kafka {KAFKA_VERSION}"
    folder = cache_folder(environment) / f"kafka-{key_of(pins, PINS, KAFKA_VERSION)}"
    jars = make_once(folder, title, lambda draft: _fetch(pins, draft))
    return Kafka(java.program, jars, f"{title} in {jars}, with {java.origin}")


def check_jars(pins: Path, folder: Path) -> None:
    """Raise PlatformError unless the folder holds exactly the pinned files."""
    lines = (pins / "jars.sha256").read_text().splitlines()
    pinned = {name: digest for digest, name in (line.split() for line in lines)}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    if wrong := sorted({name for name, _ in pinned.items() ^ found.items()}):
        raise PlatformError(
            f"Maven has fetched other files than {pins / 'jars.sha256'} lists: {', '.join(wrong)}. "
            "Remove them from Maven's repository, and try again."
        )


def _fetch(pins: Path, draft: Path) -> None:
    maven = find_maven()
    print_line(f"Fetching Kafka {KAFKA_VERSION} (44 MB) with {maven}.")
    print_line("This happens once and takes less than a minute. Later runs reuse it.")
    command = [
        *(str(maven), "--batch-mode", "--quiet", "--file", str(pins / "pom.xml")),
        *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={draft}"),
    ]
    outcome = run_to_end(command)
    if outcome.returncode:
        raise PlatformError(
            f"Maven could not fetch Kafka:\n{outcome.stdout[-2000:].strip()}\n"
            "Check the network; mirrors and proxies are set in Maven's settings.xml."
        )
    check_jars(pins, draft)
