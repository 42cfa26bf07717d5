"""Builds the images of the services, and saves images as files."""

import os
import subprocess
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orderflow_contracts.names import LOCAL_PORTS
from orderflow_tools.console import print_line
from orderflow_tools.containers.engines import Engine
from orderflow_tools.settings import APPS, find_checkout

DEVELOPMENT: Final = "dev"
"""The tag of the last build from this checkout."""


def image_name(app: str, tag: str = DEVELOPMENT) -> str:
    """Return the full name of a service's image.

    >>> image_name("orders")
    'docker.io/orderflow/orders:dev'
    """
    return f"docker.io/orderflow/{app}:{tag}"


def build_images(engine: Engine, apps: Sequence[str] = APPS) -> list[str]:
    """Build the image of each service, and return their names."""
    root = find_checkout()
    print_line(f"Engine: {engine.origin}")
    begun = time.monotonic()
    dockerfile = (root / "services" / "Dockerfile").read_text(encoding="utf-8")
    for app in apps:
        arguments = build_arguments(root, app)
        tags = [image_name(app), image_name(app, arguments["VERSION"])]
        engine.build(dockerfile, root, tags, arguments)
    names = [image_name(app) for app in apps]
    print_line(f"Images after {time.monotonic() - begun:.0f} s: {', '.join(names)}")
    return names


def save_images(engine: Engine, images: Sequence[str], folder: Path) -> list[Path]:
    """Save each image as a tar file for containerd or `docker load`."""
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
    """Return the commit that is built, marked as dirty if the checkout differs from it."""
    outcome = subprocess.run(
        ["git", "-C", root, "describe", "--always", "--abbrev=40", "--match=", "--dirty"],
        # An unpacked archive may lie inside another repository.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(root.resolve().parent)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return outcome.stdout.strip() if outcome.returncode == 0 else "unknown"
