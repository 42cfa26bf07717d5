"""Migrates the services' databases before the services start."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import APPS, Settings

TIMEOUT_SECONDS: Final = 120.0


@contextlib.contextmanager
def migrating(settings: Settings, environment: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Migrate all databases at the same time; yield a function that waits until all are done.

    It raises PlatformError if a migration fails. Migrations that are still running at the end of
    the block are killed, and change nothing.
    """
    with contextlib.ExitStack() as started:
        running = {
            app: started.enter_context(_start(settings, environment, app))
            for app in APPS
            if f"{app.upper()}_DATABASE_URL" in environment
        }

        def wait() -> None:
            for app, process in running.items():
                _wait_for(settings, app, process)

        yield wait


@contextlib.contextmanager
def _start(
    settings: Settings, environment: Mapping[str, str], app: str
) -> Iterator["subprocess.Popen[bytes]"]:
    with (settings.logs / _log(app)).open("wb") as log:
        process = subprocess.Popen(
            [settings.python, "-m", app, "migrate"],
            cwd=settings.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(settings: Settings, app: str, process: "subprocess.Popen[bytes]") -> None:
    log = settings.logs / _log(app)
    try:
        code = process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        code = None
    if code != 0:
        problem = f"is not done after {TIMEOUT_SECONDS:.0f} s" if code is None else "failed"
        last = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-5:])
        raise PlatformError(
            f"The migration of the database of {app} {problem}. Its last lines:\n{last}\n"
            f"The whole log is {log}."
        )


def _log(app: str) -> str:
    return f"{app}-migration.log"
