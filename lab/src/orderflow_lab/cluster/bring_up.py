"""Brings up the parts of a cluster, in an order in which each finds what it needs."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from orderflow_lab.cluster import addons, certificates, control_plane, dapr, images, worker
from orderflow_lab.cluster.control_plane import Endpoints
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import free_network, routes_of_machine
from orderflow_lab.cluster.node import Node
from orderflow_lab.cluster.processes import Processes
from orderflow_lab.cluster.programs import Programs
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError
from orderflow_tools.start_up import Step
from orderflow_tools.terminal import undisturbed

START_TIMEOUT: Final = 90.0
"""Seconds after which a start fails if a part is not ready."""
IN_NODE: Final = ("controller-manager", "scheduler", "kubelet", "proxy")
"""The clients of the API server that run in the node."""


class BringUp:
    """One start of a cluster. Each part runs inside `step(title)`, which can show progress."""

    def __init__(self, layout: Layout, node: Node, programs: Programs, step: Step) -> None:
        self._layout = layout
        self._node = node
        self._programs = programs
        self._step = step
        self._network = free_network(routes_of_machine())
        self._endpoints = Endpoints(str(self._network.node))
        self._client = Client(programs.kubectl, layout.kubeconfig)

    def prepare(self) -> None:
        """Write all files, and start the node."""
        with self._step("the node's network and folders"):
            self._write_files()
            self._node.start(self._network)

    def run(self, processes: Processes) -> None:
        """Start all parts in the node, and return when they are ready."""
        processes.start("containerd", worker.containerd(self._layout))
        pool = ThreadPoolExecutor(1)
        try:
            loading = pool.submit(self._load_own_images, processes)
            with self._step("the API server"):
                self._start_control_plane(processes)
            with self._step("the node"):
                self._start_worker(processes)
            with self._step("images of CoreDNS and Dapr"):
                loading.result()
        except BaseException:
            with undisturbed():
                self._node.remove()  # and with it, what is still loading
            raise
        finally:
            pool.shutdown()
        self._client.run("apply", "-f", "-", data=addons.manifests(self._layout, self._network))
        with self._step("Dapr's control plane"):
            dapr.install(self._layout.root, self._programs, self._client, self._layout.data)
        with self._step("the cluster's DNS"):
            self._client.run("rollout", "status", "-n", "kube-system", "deployment/coredns")

    def _write_files(self) -> None:
        layout, network, server = self._layout, self._network, self._endpoints.server
        for folder in (layout.logs, layout.data, layout.configuration):
            folder.mkdir(parents=True, exist_ok=True)
        certificates.write_all(layout.certificates, [str(network.node), str(network.api)])
        for client in IN_NODE:
            path = layout.configuration / f"{client}.kubeconfig"
            certificates.write_kubeconfig(path, server, layout.certificates, client)
        certificates.write_kubeconfig(layout.kubeconfig, server, layout.certificates, "admin")
        worker.write_configuration(layout, network)

    def _load_own_images(self, processes: Processes) -> None:
        processes.wait("containerd", lambda: _containerd_answers(processes), START_TIMEOUT)
        images.load_own(processes, self._programs)

    def _start_control_plane(self, processes: Processes) -> None:
        layout, binaries, endpoints = self._layout, self._programs.control_plane, self._endpoints
        processes.start("etcd", control_plane.etcd(layout, binaries, endpoints))
        server = control_plane.api_server(layout, binaries, endpoints, self._network)
        processes.start("kube-apiserver", server)
        processes.wait("kube-apiserver", self._client.answers, START_TIMEOUT)
        controllers = control_plane.controller_manager(layout, binaries)
        processes.start("kube-controller-manager", controllers)
        processes.start("kube-scheduler", control_plane.scheduler(layout, self._programs.node))

    def _start_worker(self, processes: Processes) -> None:
        layout, binaries, network = self._layout, self._programs.node, self._network
        processes.start("kubelet", worker.kubelet(layout, binaries, network))
        processes.start("kube-proxy", worker.proxy(layout, binaries, network))
        processes.wait("kubelet", self._client.node_is_ready, START_TIMEOUT)


def _containerd_answers(processes: Processes) -> bool:
    with suppress(PlatformError):
        return bool(processes.run(["ctr", "-a", worker.SOCKET, "version"]))
    return False
