"""What a machine must be for a node to run on it, said before anything is changed."""

import os
import sys
from pathlib import Path
from typing import Final

from orderflow_lab.cluster import cgroups, worker
from orderflow_lab.cluster.node import LINK, find_init, others
from orderflow_tools.debian import install, is_root_on_debian
from orderflow_tools.errors import PlatformError

CGROUPS: Final = Path("/sys/fs/cgroup")
INSTEAD: Final = "`orderflow-tools cluster up --api-only` starts what needs no node."


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


def why_no_node() -> str | None:
    """Return why no node can run on this machine, whatever is installed; None where one can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "A node needs root on Linux: it makes namespaces, control groups and a network link."
    if not _may_rule_the_machine(_status()):
        return "A node needs rights over mounts and networks, which root does not have in here."
    if not CGROUPS.is_dir() or not (hierarchies := cgroups.hierarchies(CGROUPS)):
        return f"There are no control groups in {CGROUPS}."
    if not all(os.access(each, os.W_OK) for each in hierarchies):
        return f"The control groups in {CGROUPS} cannot be written."
    return None


def check_machine() -> None:
    """Raise PlatformError unless this machine can run a node; install what it lacks, if allowed."""
    if reason := why_no_node():
        raise PlatformError(f"{reason} {INSTEAD}")
    if (missing := worker.needs()) and is_root_on_debian():
        install(*missing)
    if still := worker.needs():
        raise PlatformError(f"A node needs {', '.join(still)}, which cannot be found. {INSTEAD}")


def _status() -> str:
    return Path("/proc/self/status").read_text()


def _may_rule_the_machine(status: str) -> bool:
    """Tell from a process's status whether it has CAP_NET_ADMIN and CAP_SYS_ADMIN."""
    (line,) = (line for line in status.splitlines() if line.startswith("CapEff:"))
    wanted = 1 << 12 | 1 << 21
    return int(line.split()[1], 16) & wanted == wanted
