"""Builds the images of the services, and saves images as files."""

import os
import subprocess
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orderflow_tools.console import say
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
    say(f"Engine: {engine.origin}")
    begun = time.monotonic()
    for app in apps:
        folder = root / "services" / app
        version = version_of(folder)
        engine.build(
            (folder / "Dockerfile").read_text(encoding="utf-8"),
            root,
            [image_name(app), image_name(app, version)],
            {"VERSION": version, "REVISION": revision_of(root)},
        )
    names = [image_name(app) for app in apps]
    say(f"Images after {time.monotonic() - begun:.0f} s: {', '.join(names)}")
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


def version_of(service: Path) -> str:
    """Return the version of a service."""
    project = tomllib.loads((service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


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
