"""Runs the project's own dockerd for as long as somebody uses it: a process of its own.

Whoever uses the engine holds a shared lock on a file. Locks end with their processes, however
these end, so that when this process gets the whole lock, nobody is left, and it stops the engine.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from orderflow_tools.supervision.signals import die_with_parent

USERS_LOCK: Final = "users.lock"
"""A part of it is held by everybody who uses the engine."""
KEEPER_LOCK: Final = "keeper.lock"
"""Held by the keeper as long as it lives."""
CGROUP: Final = "orderflow-engine"
STOP_SECONDS: Final = 40
LOOK_SECONDS: Final = 0.1


def command(folder: Path) -> list[str]:
    """Return what starts dockerd in a folder, apart from the machine's network and its mounts."""
    return [
        *("unshare", "--mount", "--propagation", "slave", "dockerd"),
        *("--host", f"unix://{folder / 'docker.sock'}"),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "run")),
        *("--pidfile", str(folder / "dockerd.pid")),
        *("--iptables=false", "--ip-forward=false", "--bridge=none"),
        *("--storage-driver=overlay2", "--oom-score-adjust=0"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{CGROUP}"),
    ]


def keep(folder: Path) -> int:
    """Fork the keeper, which holds its lock already when this process ends."""
    with (folder / KEEPER_LOCK).open("a") as keeper:
        fcntl.flock(keeper, fcntl.LOCK_EX)
        if os.fork():
            return 0
        os.setsid()
        # The lock goes with the process, not before: whoever waits for it finds nothing left.
        os._exit(_keep(folder))


def _keep(folder: Path) -> int:
    """Run dockerd until nobody uses it, or it ends by itself."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    (folder / "dockerd.pid").unlink(missing_ok=True)  # of one that was killed
    with (folder / USERS_LOCK).open("a") as users:
        engine = subprocess.Popen(
            command(folder),
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there is one thread
        )
        try:
            while engine.poll() is None and not taken(users.fileno(), fcntl.LOCK_EX):
                time.sleep(LOOK_SECONDS)
        finally:
            _stop(engine)
            _remove_cgroups()
    return engine.returncode


def taken(file: int, mode: int) -> bool:
    """Take a lock, shared or whole, if that can be done at once."""
    try:
        fcntl.flock(file, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(engine: "subprocess.Popen[bytes]") -> None:
    """Stop dockerd, which stops its containers first."""
    engine.terminate()
    try:
        engine.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()


def _remove_cgroups() -> None:
    """Remove the groups of processes that containers were in: they are empty, and stay."""
    for pattern in (CGROUP, f"*/{CGROUP}"):
        for top in Path("/sys/fs/cgroup").glob(pattern):
            for group in [*sorted(top.rglob("*/"), reverse=True), top]:
                with contextlib.suppress(OSError):
                    group.rmdir()


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1])))
