"""The control groups under which a node's pods live, so that they can be found and removed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "orderflow-cluster"
_NOT_FOR_PODS: Final = {"unified"}
"""Beside groups of version 1, systemd may mount version 2 for itself; the kubelet leaves it alone."""


def hierarchies(root: Path = Path("/sys/fs/cgroup")) -> list[Path]:
    """Return the folders that can hold groups: one in version 2, one per controller in version 1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    # A controller may be known by two names, one of them a link: cpu and cpu,cpuacct.
    return sorted(
        folder
        for folder in root.iterdir()
        if (folder / "cgroup.procs").exists() and folder.name not in _NOT_FOR_PODS
        if not folder.is_symlink()
    )


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


def left() -> list[Path]:
    """Return the groups of a node that are there."""
    return [group for each in hierarchies() if (group := each / NAME).exists()]


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
