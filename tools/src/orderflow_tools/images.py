"""The services' images: built, and saved for those who load them elsewhere."""

import os
import subprocess
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.console import say
from orderflow_tools.engine import Engine
from orderflow_tools.settings import APPS, find_checkout
from orderflow_tools.stand_ins import PYTHON, provide

DEVELOPMENT: Final = "dev"
"""The tag of what was built from this checkout last."""


def image_name(app: str, tag: str = DEVELOPMENT) -> str:
    """Return the full name of a service's image.

    >>> image_name("orders")
    'docker.io/orderflow/orders:dev'
    """
    return f"docker.io/orderflow/{app}:{tag}"


def build_images(engine: Engine, apps: Sequence[str] = APPS) -> list[str]:
    """Build the image of each service, and return their names."""
    root = find_checkout()
    say(f"Engine: {engine.origin}")
    begun = time.monotonic()
    for image in provide(engine, [PYTHON]):
        say(f"The base is a stand-in for {image}, which no registry gave: see tools/README.md.")
    dockerfile = (root / "services" / "Dockerfile").read_text(encoding="utf-8")
    for app in apps:
        arguments = build_arguments(root, app)
        tags = [image_name(app), image_name(app, arguments["VERSION"])]
        engine.build(dockerfile, root, tags, arguments)
    names = [image_name(app) for app in apps]
    say(f"Images after {time.monotonic() - begun:.0f} s: {', '.join(names)}")
    return names


def save_images(engine: Engine, images: Sequence[str], folder: Path) -> list[Path]:
    """Write each image to a tar file in a folder, as containerd and `docker load` take it."""
    folder.mkdir(parents=True, exist_ok=True)
    archives = []
    for image in images:
        archive = folder / f"{image.replace('/', '_').replace(':', '_')}.tar"
        engine.save(image, archive)
        archives.append(archive)
    return archives


def build_arguments(root: Path, app: str) -> dict[str, str]:
    """Return what services/Dockerfile is told about a service."""
    file = root / "services" / app / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    ports = LOCAL_PORTS[app]
    return {
        "SERVICE": app,
        "HTTP_PORT": str(ports.http),
        "GRPC_PORT": str(ports.grpc),
        "DESCRIPTION": str(project["description"]),
        "VERSION": str(project["version"]),
        "REVISION": revision_of(root),
    }


def revision_of(root: Path) -> str:
    """Return the commit that is built, marked if the checkout differs from it."""
    outcome = subprocess.run(
        ["git", "-C", root, "describe", "--always", "--abbrev=40", "--match=", "--dirty"],
        # An unpacked archive may lie in a folder of another repository.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(root.resolve().parent)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return outcome.stdout.strip() if outcome.returncode == 0 else "unknown"
