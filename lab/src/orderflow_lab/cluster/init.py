"""The first process of a node: it gives the node folders of its own, and reaps what is orphaned.

    python -m orderflow_lab.cluster.init HOME CACHE

It is started in namespaces of its own, so that no mount of it is seen by the machine, and whoever
kills it ends every process of the node. It prints a line when the node is prepared.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from orderflow_lab.cluster.layout import NODE_HOME, NODE_PROGRAMS


def main() -> None:
    """Prepare the node, say so, and then do nothing but reap, until killed."""
    home, cache = Path(sys.argv[1]), Path(sys.argv[2])
    prepare(home, cache)
    signal.signal(signal.SIGCHLD, _nothing)
    print("ready", flush=True)
    os.close(sys.stdout.fileno())
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigwait({signal.SIGCHLD})


def prepare(home: Path, cache: Path) -> None:
    """Mount the folders of the node, which hide those of the machine where both would write."""
    # Held open, since the folders may lie under what is hidden next.
    home_fd, cache_fd = (os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in (home, cache))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for number, folder in ((home_fd, NODE_HOME), (cache_fd, NODE_PROGRAMS)):
        folder.mkdir()
        _mount("--bind", f"/proc/{os.getpid()}/fd/{number}", str(folder))
        os.close(number)
    # What keeps state at fixed places (the kubelet, network plugins) must not do so on the machine.
    for name in ("lib", "log"):
        folder = NODE_HOME / "data" / "var" / name
        folder.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(folder), f"/var/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", "--no-canonicalize", *arguments], check=True)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Be a handler: without one, the signal would be ignored, and could not be waited for."""


if __name__ == "__main__":
    main()
