"""Checks that a node can run on this machine, before anything is changed."""

import os
import sys
from pathlib import Path
from typing import Final

from orderflow_lab.cluster import cgroups, worker
from orderflow_lab.cluster.node import LINK, find_init, others
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError

CGROUPS: Final = Path("/sys/fs/cgroup")
INSTEAD: Final = "`orderflow-lab cluster up --api-only` starts an API server without a node."


def check_no_other(home: Path) -> None:
    """Raise PlatformError if another folder's cluster runs on this machine."""
    if running := others(home):
        raise PlatformError(
            f"A cluster is already running on this machine, in {running[0]}. Only one can run: "
            "`make cluster-down` in its checkout ends it."
        )
    if find_init(home) is None and Path("/sys/class/net", LINK).exists():
        state = home / "node.json"
        if not state.exists():
            raise PlatformError(
                f"This machine already has a network link {LINK}, which this checkout did not "
                f"create. If it is not needed, `ip link delete {LINK}` removes it."
            )


def why_no_node() -> str | None:
    """Return why no node can run on this machine, whatever is installed; None if one can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "A node needs root on Linux: it creates namespaces, cgroups and a network link."
    if not _may_administer(_status()):
        return "A node needs rights over mounts and networks, which root does not have here."
    if not CGROUPS.is_dir() or not (hierarchies := cgroups.hierarchies(CGROUPS)):
        return f"There are no control groups in {CGROUPS}."
    if not all(os.access(each, os.W_OK) for each in hierarchies):
        return f"The control groups in {CGROUPS} are not writable."
    return None


def check_machine() -> None:
    """Raise PlatformError unless a node can run here; install missing packages if possible."""
    if reason := why_no_node():
        raise PlatformError(f"{reason} {INSTEAD}")
    if (missing := worker.missing_packages()) and is_root_on_debian():
        install(*missing)
    if missing := worker.missing_packages():
        raise PlatformError(f"A node needs {', '.join(missing)}, which cannot be found. {INSTEAD}")


def _status() -> str:
    return Path("/proc/self/status").read_text()


def _may_administer(status: str) -> bool:
    """Return whether a process with this status has CAP_NET_ADMIN and CAP_SYS_ADMIN."""
    (line,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    wanted = 1 << 12 | 1 << 21
    return int(line.split()[1], 16) & wanted == wanted
