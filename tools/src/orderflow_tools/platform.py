"""The whole platform as one object: started, inspected, disturbed by tests, and stopped.

with Platform(Settings.isolated(folder, ORDERS_APPROVAL_TIMEOUT_SECONDS="3")) as platform:
    platform.url("orders")
    platform.kill("orders-daprd")
    platform.wait_until_ready()
"""

import contextlib
import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from orderflow_contracts.names import SUBSCRIPTIONS
from orderflow_tools import (
    control_plane,
    dapr_files,
    first_user,
    free_ports,
    readiness,
    run_state,
)
from orderflow_tools.brokers import names
from orderflow_tools.brokers.chosen import broker_of, servers_of
from orderflow_tools.brokers.server import Process
from orderflow_tools.errors import PlatformError
from orderflow_tools.migrations import migrating
from orderflow_tools.proxies import bypassing
from orderflow_tools.settings import Settings, is_inherited
from orderflow_tools.start_up import PAUSE, START_TIMEOUT, StartUp, Step, silent
from orderflow_tools.supervision import processes
from orderflow_tools.supervision.processes import Report
from orderflow_tools.toolchain.dapr import Runtime, find_runtime


class Platform:
    """Broker, placement, scheduler, and the three services with their sidecars, as one run.

    Each part of a start runs inside `step(title)`, which can show progress.
    """

    def __init__(self, settings: Settings, *, step: Step = silent) -> None:
        self.settings = settings
        self._start_up = StartUp(settings, step)
        self._started: list[subprocess.Popen[bytes]] = []
        self._reported = 0
        self._runtime: Runtime | None = None
        self._held: ExitStack | None = None
        self.made_password: str | None = None
        """The password of the first user, if the start has just created that user."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def started(self) -> bool:
        """Whether this object has started the run and not stopped it yet."""
        return self._held is not None

    @property
    def is_running(self) -> bool:
        """Whether at least one of the processes that this object started still runs."""
        return any(process.poll() is None for process in self._started)

    @property
    def runtime(self) -> Runtime:
        """The Dapr programs of this run, built if need be."""
        if self._runtime is None:
            self._runtime = find_runtime(self.settings.root)
        return self._runtime

    def start(self) -> None:
        """Start everything and return when everything is ready.

        Raises PlatformError, with everything stopped again, if a part does not become ready.
        """
        try:
            self._start()
        except OSError as error:
            where = error.filename or self.settings.home
            raise PlatformError(f"Orderflow cannot start: {where}: {error.strerror}.") from error

    def _start(self) -> None:
        runtime = self.runtime
        for server in servers_of(self.settings):
            server.find()
        held = ExitStack()
        held.enter_context(run_state.held(self.settings))
        self._held = held
        try:
            # A run whose starter was killed may still be ending, or have left processes behind.
            processes.stop_all(self.settings)
            free_ports.check(self.settings.ports)
            self._prepare()
            with migrating(self.settings, self.environment()) as wait_until_migrated:
                self._start_control_plane(runtime)
                with self._start_up.step("database schemas"):
                    wait_until_migrated()
            self._start_apps(runtime)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> list[str]:
        """Stop everything but keep the data; return the names of the processes that were killed.

        Does nothing before a start and after a stop.
        """
        if self._held is None:
            return []
        killed = processes.stop_all(self.settings)
        for process in reversed(self._started):
            process.terminate()  # a supervisor without its file was not found above
            process.wait()
        self._started.clear()
        with contextlib.suppress(OSError):
            (self.settings.run / "app-token").unlink(missing_ok=True)
        self._held.close()
        self._held = None
        return killed

    def url(self, app: str) -> str:
        """Return the URL of a service, without a trailing slash."""
        return self.settings.url(app)

    def sidecar_url(self, app: str) -> str:
        """Return the URL of a service's sidecar, without a trailing slash."""
        return self.settings.sidecar_url(app)

    @property
    def token(self) -> str:
        """A token with every role; it exists once the platform was started."""
        return self.settings.token_file.read_text().strip()

    def log(self, name: str) -> Path:
        """Return the log of a process, by its name in `processes.NAMES`."""
        return self.settings.logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return a process's id, or None between its death and its next start."""
        return processes.pid_of(self.settings, name)

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> int:
        """Send a signal to a process and return its id; it is started again when it ends."""
        return processes.send(self.settings, name, signal_number)

    def wait_for_restart(self, name: str, former: int, timeout: float = 30) -> int:
        """Return the new id of a killed process, once it has been started again."""
        deadline = time.monotonic() + timeout
        while (pid := self.pid(name)) is None or pid == former:
            if time.monotonic() > deadline:
                raise PlatformError(f"{name} was not started again within {timeout:.0f} s.")
            time.sleep(PAUSE)
        return pid

    def wait_until_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Return when everything is ready; raise PlatformError if that takes too long."""
        with readiness.client() as client:
            self._start_up.wait(readiness.all_checks(self.settings, client), timeout)

    def resume_subscriptions(self) -> None:
        """Restart the sidecars if they do not get all events after a restart of the broker."""
        broker = broker_of(self.settings)
        if broker.is_resumed:
            return
        with readiness.client() as client:
            self._start_up.wait(
                readiness.control_plane_checks(self.settings, client), START_TIMEOUT
            )
        for app, topics in SUBSCRIPTIONS.items():
            if topics and self.pid(f"{app}-daprd"):
                # Asked to end, it would wait for the events that it can no longer acknowledge.
                self.kill(f"{app}-daprd")

    def reports(self) -> list[Report]:
        """Return the supervisors' reports since the last call, such as processes that died."""
        new, self._reported = processes.reports_since(self.settings, self._reported)
        return new

    def environment(self) -> dict[str, str]:
        """Return the environment of every started process: this process's own, and the run's."""
        inherited = {k: v for k, v in os.environ.items() if is_inherited(k)}
        own = {**self.settings.service_environment(), "PYTHONUNBUFFERED": "1"}
        return {**bypassing(inherited), **own}

    def _prepare(self) -> None:
        for folder in (self.settings.data, self.settings.logs, self.settings.run):
            folder.mkdir(parents=True, exist_ok=True)
        names.record(self.settings.broker, self.settings.data)
        # Sidecars must not resolve to the addresses of the last run.
        for stale in self.settings.run.glob("names.db*"):
            stale.unlink()
        if self.settings.databases is not None:
            self.settings.databases.create()
        self.made_password = first_user.prepare(self.settings)
        (self.settings.run / "reports.jsonl").write_text("")
        self._reported = 0
        self._start_up.reset()

    def _start_control_plane(self, runtime: Runtime) -> None:
        settings = self.settings
        for server in servers_of(settings):
            for name, process in server.processes().items():
                self._start_process(name, process)
        for name, command in (
            ("placement", control_plane.placement_command(settings, runtime)),
            ("scheduler", control_plane.scheduler_command(settings, runtime)),
        ):
            self._start_process(name, Process(command))
        with readiness.client() as client:
            self._start_up.wait(readiness.control_plane_checks(settings, client), START_TIMEOUT)

    def _start_process(self, name: str, process: Process) -> None:
        environment = {**self.environment(), **process.environment}
        started = processes.start(self.settings, name, process.command, environment)
        self._started.append(started)

    def _start_apps(self, runtime: Runtime) -> None:
        settings = self.settings
        environment = {
            **self.environment(),
            "APP_API_TOKEN": dapr_files.write_token(settings),
            "DAPR_RUNTIME_PATH": str(dapr_files.write_runtime_folder(settings, runtime)),
        }
        file = dapr_files.run_file(settings)
        command = [str(runtime.dapr), "run", "-f", "." if settings.is_default else str(file)]
        self._started.append(processes.start(settings, "dapr", command, environment, grace=3))
        with readiness.client() as client:
            self._start_up.wait(readiness.app_checks(settings, client), START_TIMEOUT)
