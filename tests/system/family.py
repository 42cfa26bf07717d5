"""The tests' own application with parent and child workflows, on the platform's engine."""

import subprocess
import sys
from pathlib import Path

import httpx
import yaml

from orderflow_contracts.names import ORDERS
from orderflow_tools.free_ports import free_block
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK, AppPorts
from orderflow_tools.supervision import processes
from system.shop import wait_for
from system.workflows import new_suffix

APP = "family"
SIDECAR = "family-daprd"


class Family:
    """A worker with workflows that the product has none of, and its sidecar.

    `with_app` lets the sidecar check the health of an application on the gRPC port.
    """

    def __init__(self, platform: Platform, *, with_app: bool = False) -> None:
        self._platform = platform
        self._with_app = with_app
        self.ports: AppPorts = free_block().apps[ORDERS]
        self._worker: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the sidecar."""
        settings = self._platform.settings
        made, control = settings.run / "components", settings.ports.control
        folder = settings.run / APP
        folder.mkdir(exist_ok=True)
        store = yaml.safe_load((made / "workflow-store.yaml").read_text())
        store.pop("scopes")
        (folder / "workflow-store.yaml").write_text(yaml.safe_dump(store))
        ports = self.ports
        command = [
            str(self._platform.runtime.daprd),
            *("--app-id", APP),
            *("--resources-path", str(folder)),
            *("--config", str(made / "configuration.yaml")),
            *("--placement-host-address", f"{LOOPBACK}:{control.placement}"),
            *("--scheduler-host-address", f"{LOOPBACK}:{control.scheduler}"),
            *("--dapr-listen-addresses", LOOPBACK),
            *("--dapr-http-port", str(ports.dapr_http), "--dapr-grpc-port", str(ports.dapr_grpc)),
            *("--dapr-internal-grpc-port", str(ports.dapr_internal_grpc)),
            *("--dapr-internal-grpc-listen-address", LOOPBACK),
            *("--metrics-port", str(ports.dapr_metrics), "--metrics-listen-address", LOOPBACK),
        ]
        if self._with_app:
            command += [
                *("--app-port", str(ports.grpc), "--app-protocol", "grpc"),
                *("--enable-app-health-check", "--app-health-probe-interval", "1"),
                *("--app-health-probe-timeout", "900", "--app-health-threshold", "3"),
                *("--log-level", "debug"),  # it shows where turns are
            ]
        self._sidecar = processes.start(settings, SIDECAR, command, self._platform.environment())
        wait_for("the sidecar of the family", self.answers)

    def start_worker(self, *variant: str) -> None:
        """Start the worker, or replace it by another variant."""
        self.stop_worker()
        script = Path(__file__).parent / "family_worker.py"
        with self._platform.log(APP).open("a") as log:
            self._worker = subprocess.Popen(
                [sys.executable, str(script), str(self.ports.dapr_grpc), *variant],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._worker.stdout is not None
        assert self._worker.stdout.readline() == "ready\n", self._platform.log(APP).read_text()

    def stop_worker(self) -> None:
        """Stop the worker gracefully."""
        if self._worker is not None:
            self._worker.communicate(timeout=30)
            self._worker = None

    def stop(self) -> None:
        """Stop the worker and the sidecar."""
        self.stop_worker()
        processes.stop(self._platform.settings, [SIDECAR])
        self._sidecar.wait()

    def begin(self, workflow: str) -> str:
        """Start a workflow through the sidecar and return its id."""
        instance_id = f"{workflow}-{new_suffix()}"
        url = f"http://{LOOPBACK}:{self.ports.dapr_http}/v1.0/workflows/dapr/{workflow}/start"
        response = httpx.post(url, params={"instanceID": instance_id}, trust_env=False)
        assert response.status_code == 202, response.text
        return instance_id

    def answers(self) -> bool:
        """Return whether the sidecar is healthy."""
        url = f"http://{LOOPBACK}:{self.ports.dapr_http}/v1.0/healthz"
        try:
            return httpx.get(url, trust_env=False).is_success
        except httpx.HTTPError:
            return False
