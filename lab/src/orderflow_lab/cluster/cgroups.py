"""The control groups under which a node's pods live, so that they can be found and removed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "orderflow-cluster"
ROOT: Final = Path("/sys/fs/cgroup")
_FOR_SYSTEMD: Final = "unified"
"""Version 2 as systemd mounts it for itself beside version 1; the kubelet leaves it alone."""


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Return the folders that can hold groups of pods.

    In version 2 it is one, in version 1 there is one for each controller.
    """
    if (root / "cgroup.controllers").exists():
        return [root]
    return [folder for folder in _mounted(root) if folder.name != _FOR_SYSTEMD]


def create() -> None:
    """Make the group under which the kubelet makes those of its pods."""
    for hierarchy in hierarchies():
        controllers = hierarchy / "cgroup.controllers"
        if controllers.exists():
            for name in controllers.read_text().split():
                # Not each controller may be handed on everywhere; the kubelet says what it misses.
                with contextlib.suppress(OSError):
                    (hierarchy / "cgroup.subtree_control").write_text(f"+{name}")
        (hierarchy / NAME).mkdir(exist_ok=True)


def left(root: Path = ROOT) -> list[Path]:
    """Return the groups of a node that are there."""
    # runc makes some also where the kubelet makes none.
    return [group for each in (root, *_mounted(root)) if (group := each / NAME).exists()]


def remove(timeout: float = 10) -> list[Path]:
    """Remove the groups, whose processes must be dead; return those that would not go in time."""
    deadline = time.monotonic() + timeout
    while groups := left():
        for group in groups:
            for folder in _deepest_first(group):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if time.monotonic() > deadline:
            return left()
        if left():
            time.sleep(0.1)
    return []


def _deepest_first(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for child in list(folder.iterdir()):
            if child.is_dir():
                yield from _deepest_first(child)
    yield folder


def _mounted(root: Path) -> list[Path]:
    # A controller may be known by two names, one of them a link: cpu and cpu,cpuacct.
    return sorted(
        folder
        for folder in root.iterdir()
        if (folder / "cgroup.procs").exists() and not folder.is_symlink()
    )
