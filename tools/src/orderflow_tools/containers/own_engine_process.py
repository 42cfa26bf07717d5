"""The process that runs the project's own dockerd for as long as another process uses it.

Each user holds a shared lock on a file. A lock ends with its process, even if that is killed. So
when this process gets the exclusive lock, no user is left, and it stops the engine.
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
"""Held shared by each process that uses the engine."""
ENGINE_LOCK: Final = "keeper.lock"
"""Held by the process that runs the engine while it is alive."""
CGROUP: Final = "orderflow-engine"
STOP_SECONDS: Final = 40
POLL_SECONDS: Final = 0.1


def command(folder: Path) -> list[str]:
    """Return the command that starts dockerd without touching the machine's network or mounts."""
    return [
        *("unshare", "--mount", "--propagation", "slave", "dockerd"),
        *("--host", f"unix://{folder / 'docker.sock'}"),
        *("--data-root", str(folder / "data"), "--exec-root", str(folder / "run")),
        *("--pidfile", str(folder / "dockerd.pid")),
        *("--iptables=false", "--ip-forward=false", "--bridge=none"),
        *("--storage-driver=overlay2", "--oom-score-adjust=0"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{CGROUP}"),
    ]


def launch(folder: Path) -> int:
    """Fork the process that runs the engine; it already holds its lock when this one ends."""
    with (folder / ENGINE_LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork():
            return 0
        os.setsid()
        # The lock ends with the process, so that a waiting process finds everything stopped.
        os._exit(_run(folder))


def _run(folder: Path) -> int:
    """Run dockerd until no process uses it, or until it ends by itself."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    (folder / "dockerd.pid").unlink(missing_ok=True)  # a killed dockerd leaves it
    with (folder / USERS_LOCK).open("a") as users:
        engine = subprocess.Popen(
            command(folder),
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there is one thread
        )
        try:
            while engine.poll() is None and not taken(users.fileno(), fcntl.LOCK_EX):
                time.sleep(POLL_SECONDS)
        finally:
            _stop(engine)
            _remove_cgroups()
    return engine.returncode


def taken(file: int, mode: int) -> bool:
    """Take a lock, shared or exclusive, if it is free; return whether it was."""
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
    """Remove the control groups of the containers, which stay behind empty."""
    for pattern in (CGROUP, f"*/{CGROUP}"):
        for top in Path("/sys/fs/cgroup").glob(pattern):
            for group in [*sorted(top.rglob("*/"), reverse=True), top]:
                with contextlib.suppress(OSError):
                    group.rmdir()


if __name__ == "__main__":
    sys.exit(launch(Path(sys.argv[1])))
