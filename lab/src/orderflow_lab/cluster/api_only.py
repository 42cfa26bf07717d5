"""An API server without a node, on loopback, for any user: enough to check manifests.

It admits and rejects as a complete cluster does (schemas, Pod Security Standards, Dapr's custom
resources), but runs no pod.
"""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Final, Self

import psutil

from orderflow_lab.cluster import certificates, control_plane
from orderflow_lab.cluster.control_plane import Endpoints
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import CANDIDATES
from orderflow_lab.cluster.processes import Processes
from orderflow_lab.cluster.programs import dapr_chart, find_control_plane, find_kubectl
from orderflow_tools.deployment.client import Client
from orderflow_tools.free_ports import find_free_ports
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import Settings
from orderflow_tools.start_up import Step, silent

START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 20.0


class ApiOnly:
    """etcd, an API server and controllers as ordinary processes of this machine."""

    def __init__(self, settings: Settings, *, step: Step = silent) -> None:
        self.layout = Layout.of(settings, inside=False)
        self._step = step
        self._processes = Processes(self.layout)

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    @property
    def client(self) -> Client:
        """A client of the API server."""
        return Client(find_kubectl(self.layout.root), self.layout.kubeconfig)

    @property
    def running(self) -> bool:
        """Whether one of its processes is alive."""
        return bool(self._alive())

    def up(self) -> None:
        """Start it and return when it answers and knows Dapr's resources; do nothing if it runs.

        Raises PlatformError, with all of it stopped again, if it does not become ready.
        """
        if self.running and self.client.answers():
            return
        programs = find_control_plane(self.layout.root)
        self.down()
        try:
            with self._step("the API server"):
                self._start(programs)
            with self._step("Dapr's resource definitions"):
                crds = dapr_chart(self.layout.root) / "crds"
                self.client.run("apply", "--server-side", "-f", crds)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Stop it and remove its data."""
        # One after the other: an API server does not end if its etcd has ended first.
        for process in reversed(self._alive()):
            with contextlib.suppress(psutil.Error):
                process.terminate()
            _, stubborn = psutil.wait_procs([process], timeout=STOP_TIMEOUT)
            for each in stubborn:
                with contextlib.suppress(psutil.Error):
                    each.kill()
        self._processes.reap()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.layout.data)
        self.layout.kubeconfig.unlink(missing_ok=True)

    def _start(self, programs: Path) -> None:
        layout = self.layout
        layout.configuration.mkdir(parents=True)
        endpoints = Endpoints(LOOPBACK, *find_free_ports(3))
        network = CANDIDATES[0]
        certificates.write_all(layout.certificates, [str(network.api)])
        kubeconfig = layout.configuration / "controller-manager.kubeconfig"
        for path, client in ((kubeconfig, "controller-manager"), (layout.kubeconfig, "admin")):
            certificates.write_kubeconfig(path, endpoints.server, layout.certificates, client)
        self._run("etcd", control_plane.etcd(layout, programs, endpoints))
        server = control_plane.api_server(layout, programs, endpoints, network)
        self._run("kube-apiserver", server)
        self._processes.wait("kube-apiserver", self.client.answers, START_TIMEOUT)
        controllers = control_plane.controller_manager(layout, programs)
        self._run(
            "kube-controller-manager", [*controllers, f"--secure-port={find_free_ports(1)[0]}"]
        )

    def _run(self, name: str, command: control_plane.Command) -> None:
        process = psutil.Process(self._processes.start(name, command).pid)
        known = [*self._known(), [process.pid, process.create_time()]]
        self._pids.write_text(json.dumps(known))

    @property
    def _pids(self) -> Path:
        return self.layout.data / "processes.json"

    def _known(self) -> list[list[float]]:
        with contextlib.suppress(OSError, ValueError):
            known: list[list[float]] = json.loads(self._pids.read_text())
            return known
        return []

    def _alive(self) -> list[psutil.Process]:
        """Return its live processes, without later processes that have one of their numbers."""
        living = []
        for pid, created in self._known():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(int(pid))
                if process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE:
                    living.append(process)
        return living
