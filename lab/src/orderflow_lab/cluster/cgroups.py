"""The control groups of a node's pods: created, found and removed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "orderflow-cluster"
ROOT: Final = Path("/sys/fs/cgroup")
_FOR_SYSTEMD: Final = "unified"
"""Version 2 as systemd mounts it for itself beside version 1; the kubelet does not use it."""


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Return the folders that can contain groups of pods.

    Version 2 has one such folder, version 1 one for each controller.
    """
    if (root / "cgroup.controllers").exists():
        return [root]
    return [folder for folder in _mounted(root) if folder.name != _FOR_SYSTEMD]


def create() -> None:
    """Create the parent group of the groups that the kubelet creates for pods."""
    for hierarchy in hierarchies():
        controllers = hierarchy / "cgroup.controllers"
        if controllers.exists():
            for name in controllers.read_text().split():
                # Some controllers cannot be delegated; the kubelet reports those that it misses.
                with contextlib.suppress(OSError):
                    (hierarchy / "cgroup.subtree_control").write_text(f"+{name}")
        (hierarchy / NAME).mkdir(exist_ok=True)


def remaining(root: Path = ROOT) -> list[Path]:
    """Return the existing groups of a node."""
    # runc also creates groups where the kubelet creates none.
    return [group for each in (root, *_mounted(root)) if (group := each / NAME).exists()]


def remove(timeout: float = 10) -> list[Path]:
    """Remove the groups, whose processes must have ended; return those left at the timeout."""
    deadline = time.monotonic() + timeout
    while groups := remaining():
        for group in groups:
            for folder in _deepest_first(group):
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if time.monotonic() > deadline:
            return remaining()
        if remaining():
            time.sleep(0.1)
    return []


def _deepest_first(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for child in list(folder.iterdir()):
            if child.is_dir():
                yield from _deepest_first(child)
    yield folder


def _mounted(root: Path) -> list[Path]:
    # A controller may have two names, one of them a link: cpu and cpu,cpuacct.
    return sorted(
        folder
        for folder in root.iterdir()
        if (folder / "cgroup.procs").exists() and not folder.is_symlink()
    )
