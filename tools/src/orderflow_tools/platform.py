"""The whole platform as one thing: started, asked, hurt for tests, and stopped.

with Platform(Settings.isolated(folder, ORDERS_APPROVAL_TIMEOUT_SECONDS="3")) as platform:
    platform.url("orders")
    platform.kill("orders-daprd")
    platform.wait_until_ready()
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Final, Self

from orderflow_tools import (
    broker,
    control_plane,
    dapr_files,
    first_user,
    kept,
    readiness,
    run_state,
)
from orderflow_tools.errors import PlatformError
from orderflow_tools.kept import Report
from orderflow_tools.migrations import migrating
from orderflow_tools.proxies import bypassing
from orderflow_tools.readiness import Check
from orderflow_tools.settings import Settings, is_inherited
from orderflow_tools.toolchain import Runtime, find_runtime

START_TIMEOUT: Final = 90.0
"""Seconds after which a part that is not ready is given up; it takes a few when all is well."""
PAUSE: Final = 0.05
"""Seconds between two questions whether a part is ready."""

Step = Callable[[str], AbstractContextManager[None]]


def silent(_title: str) -> AbstractContextManager[None]:
    """Show nothing of a step."""
    return nullcontext()


class Platform:
    """Broker, placement, scheduler, and the three services with their sidecars, as one run.

    `step` is called with a title around each part of a start, so that its way can be shown.
    """

    def __init__(self, settings: Settings, *, step: Step = silent) -> None:
        self.settings = settings
        self._step = step
        self._started: list[subprocess.Popen[bytes]] = []
        self._reported = self._examined = 0
        self._runtime: Runtime | None = None
        self._held: ExitStack | None = None
        self.made_password: str | None = None
        """The password of the first user, where the start has just made one."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def started(self) -> bool:
        """Whether this object has started the run, and not yet stopped it."""
        return self._held is not None

    @property
    def is_running(self) -> bool:
        """Whether at least one of the processes that this object has started still runs."""
        return any(process.poll() is None for process in self._started)

    @property
    def runtime(self) -> Runtime:
        """The Dapr programs of this run; the first time, they may have to be built."""
        if self._runtime is None:
            self._runtime = find_runtime(self.settings.root)
        return self._runtime

    def start(self) -> None:
        """Start everything and return when everything is ready.

        Raises PlatformError, with everything stopped again, when a part does not get ready.
        """
        try:
            self._start()
        except OSError as error:
            where = error.filename or self.settings.home
            raise PlatformError(f"Orderflow cannot start: {where}: {error.strerror}.") from error

    def _start(self) -> None:
        runtime, program = self.runtime, broker.find_broker()
        held = ExitStack()
        held.enter_context(run_state.held(self.settings))
        self._held = held
        try:
            # A run whose starter was killed may be ending still, or have left something behind.
            kept.stop_all(self.settings)
            self.settings.ports.check()
            self._prepare()
            with migrating(self.settings, self.environment()) as wait_until_migrated:
                self._start_control_plane(runtime, program)
                with self._step("database schemas"):
                    wait_until_migrated()
            self._start_apps(runtime)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> list[str]:
        """Stop everything, keeping the data; return the names of what had to be killed.

        Without a start, or after a stop, it does nothing.
        """
        if self._held is None:
            return []
        killed = kept.stop_all(self.settings)
        for process in reversed(self._started):
            process.terminate()  # a keeper whose file is missing, or was moved, has not been found
            process.wait()
        self._started.clear()
        with contextlib.suppress(OSError):
            (self.settings.run / "app-token").unlink(missing_ok=True)
        self._held.close()
        self._held = None
        return killed

    def url(self, app: str) -> str:
        """Return where a service answers people, without a slash at the end."""
        return self.settings.url(app)

    def sidecar_url(self, app: str) -> str:
        """Return where a service's sidecar answers over HTTP, without a slash at the end."""
        return self.settings.sidecar_url(app)

    @property
    def token(self) -> str:
        """A token with every role, once this has been started."""
        return self.settings.token_file.read_text().strip()

    def log(self, name: str) -> Path:
        """Return the log of a process, by its name in `kept.NAMES`."""
        return self.settings.logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return a process's id, or None in the moment between its death and its next start."""
        return kept.pid_of(self.settings, name)

    def kill(self, name: str, signal_number: int = signal.SIGKILL) -> int:
        """Send a signal to a process and return its id; its keeper starts it again when it ends."""
        return kept.send(self.settings, name, signal_number)

    def wait_for_restart(self, name: str, former: int, timeout: float = 30) -> int:
        """Return the new id of a process that was killed, once it has been started again."""
        deadline = time.monotonic() + timeout
        while (pid := self.pid(name)) is None or pid == former:
            if time.monotonic() > deadline:
                raise PlatformError(f"{name} was not started again within {timeout:.0f} s.")
            time.sleep(PAUSE)
        return pid

    def wait_until_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Return when everything is ready; raise PlatformError when that takes too long."""
        with readiness.client() as client:
            self._wait(readiness.all_checks(self.settings, client), timeout)

    def reports(self) -> list[Report]:
        """Return what keepers have told since the last call: processes that died, and the like."""
        new, self._reported = kept.reports_since(self.settings, self._reported)
        return new

    def environment(self) -> dict[str, str]:
        """Return the environment of everything that is started: this process's, and the run's."""
        inherited = {k: v for k, v in os.environ.items() if is_inherited(k)}
        own = {**self.settings.service_environment(), "PYTHONUNBUFFERED": "1"}
        return {**bypassing(inherited), **own}

    def _prepare(self) -> None:
        for folder in (self.settings.data / "broker", self.settings.logs, self.settings.run):
            folder.mkdir(parents=True, exist_ok=True)
        # The addresses of the last run's sidecars must not be answered for this one's.
        for stale in self.settings.run.glob("names.db*"):
            stale.unlink()
        if self.settings.databases is not None:
            self.settings.databases.create()
        self.made_password = first_user.prepare(self.settings)
        (self.settings.run / "reports.jsonl").write_text("")
        self._reported = self._examined = 0

    def _start_control_plane(self, runtime: Runtime, program: Path) -> None:
        settings, environment = self.settings, self.environment()
        for name, command in (
            ("broker", broker.broker_command(settings, program)),
            ("placement", control_plane.placement_command(settings, runtime)),
            ("scheduler", control_plane.scheduler_command(settings, runtime)),
        ):
            self._started.append(kept.start(settings, name, command, environment))
        with readiness.client() as client:
            self._wait(readiness.control_plane_checks(settings, client), START_TIMEOUT)

    def _start_apps(self, runtime: Runtime) -> None:
        settings = self.settings
        environment = {
            **self.environment(),
            "APP_API_TOKEN": dapr_files.write_token(settings),
            "DAPR_RUNTIME_PATH": str(dapr_files.write_runtime_folder(settings, runtime)),
        }
        file = dapr_files.run_file(settings)
        command = [str(runtime.dapr), "run", "-f", "." if settings.is_default else str(file)]
        self._started.append(kept.start(settings, "dapr", command, environment, grace=3))
        with readiness.client() as client:
            self._wait(readiness.app_checks(settings, client), START_TIMEOUT)

    def _wait(self, checks: Iterable[Check], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        for check in checks:
            with self._step(check.title):
                while (reason := check.ask()) is not None:
                    self._look_for_failures()
                    if time.monotonic() > deadline:
                        raise PlatformError(self._overdue(check, reason, timeout))
                    time.sleep(PAUSE)

    def _look_for_failures(self) -> None:
        new, self._examined = kept.reports_since(self.settings, self._examined)
        for report in new:
            if report.event == "gave_up":
                tail = f"\nIts last lines:\n{_telling(report.tail)}" if report.tail else ""
                raise PlatformError(
                    f"{report.name} {report.text}.{tail}\nIts whole log is {self.log(report.name)}."
                )

    def _overdue(self, check: Check, reason: str, timeout: float) -> str:
        return (
            f"{check.title} is not ready after {timeout:.0f} s: {reason}. "
            f"Look into {self.log(check.process)}."
        )


def _telling(tail: str) -> str:
    """Return what tells why a process ended: Dapr's errors without their frame, or all lines."""
    errors = re.findall(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*)"', tail)
    return "\n".join(f"  {line}" for line in errors or tail.splitlines())
