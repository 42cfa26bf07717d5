"""A cluster as one thing: brought up, asked, given images, and taken down.

with Cluster(Settings.from_environment()) as cluster:
    cluster.load_images([archive])
    cluster.kubectl("apply", "-k", "deploy/overlays/local")
    cluster.url("orders", 8001)
"""

import fcntl
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from orderflow_lab.cluster import addons, certificates, control_plane, dapr, images, worker
from orderflow_lab.cluster.control_plane import Endpoints
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import Network, free_network, routes_of_machine
from orderflow_lab.cluster.node import Node, find_init
from orderflow_lab.cluster.preconditions import check_machine, check_no_other
from orderflow_lab.cluster.processes import Processes
from orderflow_lab.cluster.programs import Programs, find_programs
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings
from orderflow_tools.start_up import Step, silent
from orderflow_tools.terminal import undisturbed

START_TIMEOUT: Final = 90.0
"""Seconds after which a part that is not ready is given up."""


class Cluster:
    """Kubernetes on a node of its own, with Dapr's control plane, and nothing else in it.

    `step` is called with a title around each part of a start, so that its way can be shown.
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
        """What the cluster is made of; the first time, it has to be built."""
        if self._programs is None:
            self._programs = find_programs(self.layout.root)
        return self._programs

    @property
    def running(self) -> bool:
        """Whether the cluster's node runs on this machine."""
        return find_init(self.layout.home) is not None

    @property
    def client(self) -> Client:
        """What asks the cluster's API server."""
        return Client(self.programs.kubectl, self.layout.kubeconfig)

    @property
    def ready(self) -> bool:
        """Whether the cluster runs, was brought up whole, and answers."""
        return self.running and self.layout.complete.exists() and self.client.answers()

    def up(self) -> None:
        """Bring the cluster up and return when all of it is ready; if it is, do nothing.

        Raises PlatformError, with all of it taken down again, when a part does not get ready.
        """
        with self._alone():
            check_no_other(self.layout.home)
            if self.ready:
                return
            programs = self.programs
            check_machine()
            self._remove()
            try:
                self._start(programs)
            except BaseException:
                self._remove()
                raise
            self.layout.complete.touch()

    def down(self) -> None:
        """Take the cluster down with all that it holds; only its logs stay."""
        with self._alone():
            self._remove()

    def kubectl(self, *arguments: str | Path, data: str | None = None) -> str:
        """Run kubectl on the cluster, give it `data` to read, and return what it printed."""
        return self.client.run(*arguments, data=data)

    def load_images(self, archives: Iterable[Path]) -> None:
        """Give the node the images of these archives, as `docker save` writes them."""
        processes = self._entered()
        for archive in archives:
            images.load(processes, archive)

    def images(self) -> list[str]:
        """Return the names of the images that the node has."""
        return images.names(self._entered())

    def url(self, service: str, port: int, *, namespace: str = "orderflow") -> str:
        """Return where a service answers on this machine, without a slash at the end."""
        address = self.client.run(
            *("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")
        )
        return f"http://{address}:{port}"

    def log(self, name: str) -> Path:
        """Return the log of one of the cluster's own processes, such as `kubelet`."""
        return self.layout.logs / f"{name}.log"

    def _entered(self) -> Processes:
        if self._processes is None:
            self._processes = Processes(self.layout, self._node.enter())
        return self._processes

    def _start(self, programs: Programs) -> None:
        network = free_network(routes_of_machine())
        endpoints = Endpoints(str(network.node))
        with self._step("the node's network and folders"):
            self._prepare(network, endpoints)
            self._node.start(network)
        processes = self._entered()
        processes.start("containerd", worker.containerd(self.layout))
        pool = ThreadPoolExecutor(1)
        try:
            loading = pool.submit(self._load_own_images, programs)
            with self._step("the API server"):
                self._start_control_plane(programs, endpoints, network)
            with self._step("the node"):
                self._start_worker(programs, network)
            with self._step("images of CoreDNS and Dapr"):
                loading.result()
        except BaseException:
            with undisturbed():
                self._node.remove()  # and with it, what is still loading
            raise
        finally:
            pool.shutdown()
        self.client.run("apply", "-f", "-", data=addons.manifests(self.layout, network))
        with self._step("Dapr's control plane"):
            dapr.install(self.layout.root, programs, self.client, self.layout.data)
        with self._step("names of services"):
            self.client.run("rollout", "status", "-n", "kube-system", "deployment/coredns")

    def _prepare(self, network: Network, endpoints: Endpoints) -> None:
        layout = self.layout
        for folder in (layout.logs, layout.data, layout.configuration):
            folder.mkdir(parents=True, exist_ok=True)
        certificates.write_all(layout.certificates, [str(network.node), str(network.api)])
        for client in ("controller-manager", "scheduler", "kubelet", "proxy"):
            certificates.write_kubeconfig(
                *(layout.configuration / f"{client}.kubeconfig", endpoints.server),
                *(layout.certificates, client),
            )
        certificates.write_kubeconfig(
            layout.kubeconfig, endpoints.server, layout.certificates, "admin"
        )
        worker.write_configuration(layout, network)

    def _load_own_images(self, programs: Programs) -> None:
        processes = self._entered()
        processes.wait("containerd", lambda: _answers(processes), START_TIMEOUT)
        images.load_own(processes, programs)

    def _start_control_plane(
        self, programs: Programs, endpoints: Endpoints, network: Network
    ) -> None:
        processes, layout, binaries = self._entered(), self.layout, programs.control_plane
        processes.start("etcd", control_plane.etcd(layout, binaries, endpoints))
        server = control_plane.api_server(layout, binaries, endpoints, network)
        processes.start("kube-apiserver", server)
        processes.wait("kube-apiserver", self.client.answers, START_TIMEOUT)
        controllers = control_plane.controller_manager(layout, binaries)
        processes.start("kube-controller-manager", controllers)
        processes.start("kube-scheduler", control_plane.scheduler(layout, programs.node))

    def _start_worker(self, programs: Programs, network: Network) -> None:
        processes, layout = self._entered(), self.layout
        processes.start("kubelet", worker.kubelet(layout, programs.node, network))
        processes.start("kube-proxy", worker.proxy(layout, programs.node, network))
        processes.wait("kubelet", self.client.node_is_ready, START_TIMEOUT)

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
    def _alone(self) -> Iterator[None]:
        """Be the one process that brings this cluster up or down."""
        self.layout.home.mkdir(parents=True, exist_ok=True)
        with (self.layout.home / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PlatformError(
                    f"Another process is bringing the cluster in {self.layout.home} up or down."
                ) from None
            yield


def _answers(processes: Processes) -> bool:
    with suppress(PlatformError):
        return bool(processes.run(["ctr", "-a", worker.SOCKET, "version"]))
    return False


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in lines]
    return [place for place in places if Path(place).is_relative_to(folder)]
