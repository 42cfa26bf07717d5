"""The engine without services: one sidecar with placement, scheduler and Redis."""

import threading
from concurrent import futures

import grpc
import httpx
import redis
from dapr.ext.grpc import App

from orderflow_hosting.settings import ServiceSettings
from orderflow_tools import dapr_files
from orderflow_tools.platform import Platform
from orderflow_tools.ports import LOOPBACK
from orderflow_tools.settings import Settings
from orderflow_tools.toolchain.dapr import Runtime
from system.family import SIDECAR, Family
from system.shop import wait_for


class Unwell(Exception):
    """Makes the health check fail."""


class HealthApp:
    """An application that serves nothing but a health check."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._app = App(thread_pool=futures.ThreadPoolExecutor(2))
        self._app.register_health_check(self._check)
        self._thread = threading.Thread(target=self._app.run, args=(port, LOOPBACK), daemon=True)
        self.unwell: str | None = None

    def report(self, unwell: str | None) -> None:
        """Make the health check fail for this reason, or pass if the reason is None."""
        self.unwell = unwell

    def start(self) -> None:
        """Start listening."""
        self._thread.start()
        with grpc.insecure_channel(f"{LOOPBACK}:{self._port}") as channel:
            grpc.channel_ready_future(channel).result(30)

    def stop(self) -> None:
        """Stop listening."""
        self._app.stop()
        self._thread.join(30)

    def _check(self) -> None:
        if self.unwell is not None:
            raise Unwell(self.unwell)


class EnginePlatform(Platform):
    """A platform with one sidecar and no services; its application runs in this process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.family = Family(self, with_app=True)
        self.app = HealthApp(self.family.ports.grpc)

    @property
    def address(self) -> str:
        """The address of the sidecar's gRPC API."""
        return f"{LOOPBACK}:{self.family.ports.dapr_grpc}"

    @property
    def store(self) -> redis.Redis:
        """The state store of the engine."""
        return redis.Redis(LOOPBACK, self.settings.ports.control.broker)

    @property
    def service_settings(self) -> ServiceSettings:
        """The settings of a service that uses this sidecar."""
        ports = self.family.ports
        return ServiceSettings.model_validate(
            {
                "http_port": ports.http,
                "grpc_port": ports.grpc,
                "DAPR_HTTP_PORT": ports.dapr_http,
                "DAPR_GRPC_PORT": ports.dapr_grpc,
                "APP_API_TOKEN": "a-token-for-tests",
            }
        )

    def runs_workflows(self) -> bool:
        """Return whether the sidecar runs workflows: it does so while a worker is connected."""
        url = f"http://{LOOPBACK}:{self.family.ports.dapr_http}/v1.0/metadata"
        actors = httpx.get(url, trust_env=False).json()["actorRuntime"].get("activeActors", [])
        return any(actor["type"].endswith(".workflow") for actor in actors)

    def restart_sidecar(self) -> None:
        """Kill the sidecar and wait until it has restarted."""
        self.wait_for_restart(SIDECAR, self.kill(SIDECAR))
        wait_for("the sidecar", self.family.answers)

    def log_holds(self, line: str) -> bool:
        """Return whether the sidecar's log contains a text."""
        return line in self.log(SIDECAR).read_text(errors="replace")

    def stop(self) -> list[str]:
        """Stop the sidecar and the application, then everything else."""
        if self.started:
            self.family.stop()
            self.app.stop()
        return super().stop()

    def _start_apps(self, _: Runtime) -> None:
        dapr_files.run_file(self.settings)
        self.app.start()
        self.family.start()
