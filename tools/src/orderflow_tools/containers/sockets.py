"""Sockets on which a container engine answers."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from orderflow_tools.errors import PlatformError
from orderflow_tools.supervision.signals import die_with_parent

START_SECONDS: Final = 30


def answers(hosts: Sequence[str]) -> str | None:
    """Return the first of these addresses at which an engine answers."""
    for host in hosts:
        if host.startswith("unix://") and not _listens(host.removeprefix("unix://")):
            continue
        try:
            client = docker.DockerClient(base_url=host, timeout=10)
            client.ping()
            client.close()
        except (DockerException, RequestException, OSError):
            continue
        return host
    return None


def _listens(path: str) -> bool:
    """Return whether a process listens on a socket; the client leaks one where none does."""
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(path)
        except OSError:
            return False
    return True


@contextmanager
def started_podman() -> Iterator[str]:
    """Run the installed podman as a service on a socket for the duration of the block."""
    with tempfile.TemporaryDirectory(prefix="orderflow-") as folder:
        host = f"unix://{folder}/podman.sock"
        log = Path(folder) / "log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [shutil.which("podman") or "podman", "system", "service", "--time=0", host],
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - this process has one thread
            )
        try:
            until = time.monotonic() + START_SECONDS
            while not answers([host]):
                if process.poll() is not None or time.monotonic() > until:
                    raise PlatformError(f"podman does not answer:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield host
        finally:
            process.terminate()
            process.wait()
