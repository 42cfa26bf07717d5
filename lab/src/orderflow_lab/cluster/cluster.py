"""A cluster as one object: brought up, inspected, given images, and taken down.

with Cluster(Settings.from_environment()) as cluster:
    cluster.load_images([archive])
    cluster.kubectl("apply", "-k", "deploy/overlays/local")
    cluster.url("orders", 8001)
"""

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from orderflow_lab.cluster import images
from orderflow_lab.cluster.bring_up import BringUp
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.node import Node, find_init
from orderflow_lab.cluster.preconditions import check_machine, check_no_other
from orderflow_lab.cluster.processes import Processes
from orderflow_lab.cluster.programs import Programs, find_programs
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.start_up import Step, silent
from orderflow_tools.terminal import undisturbed


class Cluster:
    """Kubernetes on a node of its own, with Dapr's control plane, and nothing else in it.

    Each part of a start runs inside `step(title)`, which can show progress.
    """

    def __init__(self, settings: Settings, *, step: Step = silent) -> None:
        self.layout = Layout.of(settings)
        self._step = step
        self._node = Node(self.layout)
        self._processes: Processes | None = None
        self._programs: Programs | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def programs(self) -> Programs:
        """The programs of the cluster, built if need be."""
        if self._programs is None:
            self._programs = find_programs(self.layout.root)
        return self._programs

    @property
    def running(self) -> bool:
        """Whether the cluster's node runs on this machine."""
        return find_init(self.layout.home) is not None

    @property
    def client(self) -> Client:
        """A client of the cluster's API server."""
        return Client(self.programs.kubectl, self.layout.kubeconfig)

    @property
    def ready(self) -> bool:
        """Whether the cluster runs, was brought up completely, and answers."""
        return self.running and self.layout.complete.exists() and self.client.answers()

    def up(self) -> None:
        """Bring the cluster up and return when all of it is ready; do nothing if it is already.

        Raises PlatformError, with all of it taken down again, if a part does not become ready.
        """
        with self._locked():
            check_no_other(self.layout.home)
            if self.ready:
                return
            programs = self.programs
            check_machine()
            self._remove()
            try:
                bring_up = BringUp(self.layout, self._node, programs, self._step)
                bring_up.prepare()
                bring_up.run(self._in_node())
            except BaseException:
                self._remove()
                raise
            self.layout.complete.touch()

    def down(self) -> None:
        """Take the cluster down and remove everything in it; only its logs stay."""
        with self._locked():
            self._remove()

    def kubectl(self, *arguments: str | Path, data: str | None = None) -> str:
        """Run kubectl on the cluster with `data` as its input, and return its output."""
        return self.client.run(*arguments, data=data)

    def load_images(self, archives: Iterable[Path]) -> None:
        """Load the images of these archives, as `docker save` writes them, into the node."""
        processes = self._in_node()
        for archive in archives:
            images.load(processes, archive)

    def images(self) -> list[str]:
        """Return the names of the images in the node."""
        return images.names(self._in_node())

    def url(self, service: str, port: int, *, namespace: str = "orderflow") -> str:
        """Return the URL of a service on this machine, without a trailing slash."""
        address = self.client.run(
            *("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")
        )
        return f"http://{address}:{port}"

    def log(self, name: str) -> Path:
        """Return the log of one of the cluster's own processes, such as `kubelet`."""
        return self.layout.logs / f"{name}.log"

    def _in_node(self) -> Processes:
        if self._processes is None:
            self._processes = Processes(self.layout, self._node.enter())
        return self._processes

    def _remove(self) -> None:
        with undisturbed():
            self._remove_all()

    def _remove_all(self) -> None:
        layout = self.layout
        layout.complete.unlink(missing_ok=True)
        self._node.remove()
        if self._processes:
            self._processes.reap()
            self._processes = None
        if mounts := _mounts_below(layout.home):
            raise PlatformError(f"Something is still mounted, and nothing was removed: {mounts}.")
        with suppress(FileNotFoundError):
            shutil.rmtree(layout.data)
        layout.kubeconfig.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only process that brings this cluster up or down."""
        self.layout.home.mkdir(parents=True, exist_ok=True)
        with (self.layout.home / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlatformError(
                    f"Another process is bringing the cluster in {self.layout.home} up or down."
                ) from None
            yield


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in lines]
    return [place for place in places if Path(place).is_relative_to(folder)]
