"""The bare workflow for comparison: it has its own sidecar on the platform's engine."""

import json
import subprocess
import time
from pathlib import Path
from typing import Final, Self

import httpx
import yaml

from orderflow_contracts.names import ORDERS
from orderflow_lab.bench.orders import Done
from orderflow_tools.errors import PlatformError
from orderflow_tools.free_ports import free_block
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK, AppPorts
from orderflow_tools.readiness import client
from orderflow_tools.start_up import PAUSE, START_TIMEOUT
from orderflow_tools.supervision import processes

APP: Final = "bare"
SIDECAR: Final = "bare-daprd"


class BareEngine:
    """A worker process and its sidecar, on the broker, placement and scheduler of a platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._settings = platform.settings
        self._ports = free_block().apps[ORDERS]  # an application needs the same ports

    def __enter__(self) -> Self:
        settings = self._settings
        environment = self._platform.environment()
        self._sidecar = processes.start(settings, SIDECAR, self._command(), environment, grace=8)
        try:
            self._wait_for_sidecar()
            module = "orderflow_lab.bench.bare_worker"
            with self._platform.log(APP).open("wb") as log:
                self._worker = subprocess.Popen(
                    [settings.python, "-m", module, str(self._ports.dapr_grpc)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=environment,
                    start_new_session=True,
                )
        except BaseException:
            self._stop_sidecar()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._worker.communicate(timeout=20)  # closing its input ends it
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
        self._stop_sidecar()

    def pid(self, name: str) -> int | None:
        """Return the id of the worker, the sidecar, or a process of the platform."""
        if name == APP:
            return self._worker.pid
        return self._platform.pid(name)

    def run(self, count: int, in_flight: int, *, pause: float = 0.0) -> Done:
        """Run `count` bare workflows, `in_flight` at a time, each after a pause in seconds."""
        request = {"count": count, "in_flight": in_flight, "pause": pause}
        if self._worker.stdin is None or self._worker.stdout is None:
            raise PlatformError("The bare worker has no pipes.")
        try:
            self._worker.stdin.write(json.dumps(request) + "\n")
            self._worker.stdin.flush()
        except BrokenPipeError:
            pass  # the end of its output, read below, shows the same
        line = self._worker.stdout.readline()
        if not line:
            log = self._platform.log(APP)
            raise PlatformError(f"The bare worker has ended: see {log}.")
        return Done(**json.loads(line))

    def _command(self) -> list[str]:
        control, made = self._settings.ports.control, self._settings.run / "components"
        return [
            str(self._platform.runtime.daprd),
            *("--app-id", APP),
            *("--resources-path", str(_write_resources(made, self._settings.run / "bare"))),
            *("--config", str(made / "configuration.yaml")),
            *("--placement-host-address", f"{LOOPBACK}:{control.placement}"),
            *("--scheduler-host-address", f"{LOOPBACK}:{control.scheduler}"),
            *_listening(self._ports),
        ]

    def _wait_for_sidecar(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        url = f"http://{LOOPBACK}:{self._ports.dapr_http}/v1.0/healthz"
        with client() as http:
            while not _answers(http, url):
                if time.monotonic() > deadline:
                    log = self._platform.log(SIDECAR)
                    raise PlatformError(f"The bare worker's sidecar is not ready: see {log}.")
                time.sleep(PAUSE)

    def _stop_sidecar(self) -> None:
        processes.stop(self._settings, [SIDECAR])
        self._sidecar.wait()


def _write_resources(made: Path, folder: Path) -> Path:
    """Write a copy of the workflow store without scopes, so that this application can use it."""
    folder.mkdir(exist_ok=True)
    store = yaml.safe_load((made / "workflow-store.yaml").read_text(encoding="utf-8"))
    store.pop("scopes", None)
    (folder / "workflow-store.yaml").write_text(yaml.safe_dump(store))
    return folder


def _listening(ports: AppPorts) -> list[str]:
    return [
        *("--dapr-listen-addresses", LOOPBACK),
        *("--dapr-http-port", str(ports.dapr_http), "--dapr-grpc-port", str(ports.dapr_grpc)),
        *("--dapr-internal-grpc-port", str(ports.dapr_internal_grpc)),
        *("--dapr-internal-grpc-listen-address", LOOPBACK),
        *("--metrics-port", str(ports.dapr_metrics), "--metrics-listen-address", LOOPBACK),
    ]


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.HTTPError:
        return False
