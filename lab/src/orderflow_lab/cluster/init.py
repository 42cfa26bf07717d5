"""The first process of a node: it mounts the node's own folders, and reaps orphaned processes.

    python -m orderflow_lab.cluster.init HOME CACHE

It is started in its own namespaces, so that the machine sees none of its mounts, and killing it
ends every process of the node. It prints a line when the node is prepared.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from orderflow_lab.cluster.layout import NODE_HOME, NODE_PROGRAMS


def main() -> None:
    """Prepare the node, print that it is ready, and then only reap, until killed."""
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
    """Mount the node's folders over those of the machine that both would write to."""
    # Held open, because the next mount may hide the folders.
    home_fd, cache_fd = (os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in (home, cache))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for number, folder in ((home_fd, NODE_HOME), (cache_fd, NODE_PROGRAMS)):
        folder.mkdir()
        _mount("--bind", f"/proc/{os.getpid()}/fd/{number}", str(folder))
        os.close(number)
    # The kubelet and network plugins keep state in fixed folders, which must not be the machine's.
    for name in ("lib", "log"):
        folder = NODE_HOME / "data" / "var" / name
        folder.mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(folder), f"/var/{name}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", "--no-canonicalize", *arguments], check=True)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Handle the signal: without a handler it would be ignored and could not be waited for."""


if __name__ == "__main__":
    main()
