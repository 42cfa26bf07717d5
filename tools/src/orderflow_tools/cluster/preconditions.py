"""What a machine must be for a node to run on it, said before anything is changed."""

import os
import sys
from pathlib import Path

from orderflow_tools.cluster import cgroups, worker
from orderflow_tools.cluster.node import LINK, find_init, others
from orderflow_tools.engine_own import install, is_root_on_debian
from orderflow_tools.errors import PlatformError

INSTEAD = "`orderflow-tools cluster up --api-only` starts what needs no node."


def check_no_other(home: Path) -> None:
    """Raise PlatformError if another folder's cluster runs on this machine."""
    if there := others(home):
        raise PlatformError(
            f"A cluster runs on this machine already, in {there[0]}. There can be one at a time: "
            "`make cluster-down` in its checkout ends it."
        )
    if find_init(home) is None and Path("/sys/class/net", LINK).exists():
        state = home / "node.json"
        if not state.exists():
            raise PlatformError(
                f"This machine has a network link {LINK}, which the cluster would use and which "
                f"is not of this checkout. If nobody needs it, `ip link delete {LINK}` removes it."
            )


def check_machine() -> None:
    """Raise PlatformError unless this machine can run a node; install what it lacks, if allowed."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise PlatformError(
            "A node needs root on Linux: it makes namespaces, control groups and a network link. "
            + INSTEAD
        )
    groups = Path("/sys/fs/cgroup")
    if not groups.is_dir() or not cgroups.hierarchies(groups):
        raise PlatformError(f"There are no control groups in {groups}. {INSTEAD}")
    if (missing := worker.needs()) and is_root_on_debian():
        install(*missing)
    if still := worker.needs():
        raise PlatformError(f"A node needs {', '.join(still)}, which cannot be found. {INSTEAD}")
