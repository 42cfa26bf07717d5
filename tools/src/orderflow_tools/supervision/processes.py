"""The processes of a run, each under a supervisor: started, found by pid file, stopped."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from orderflow_contracts.names import SUBSCRIPTIONS
from orderflow_tools.dapr_files import keep_alive
from orderflow_tools.settings import APPS, Settings
from orderflow_tools.supervision import ownership

SERVICES: Final = APPS
SIDECARS: Final = tuple(f"{app}-daprd" for app in APPS)
OF_SOME_BROKERS: Final = ("workflow-store", "epmd")
"""The processes that run only with some brokers."""
NAMES: Final = (
    *OF_SOME_BROKERS,
    *("broker", "placement", "scheduler", "dapr"),
    *SIDECARS,
    *SERVICES,
)
"""Every supervised process; `dapr` is `dapr run`, which starts sidecars and services."""

STOP_ORDER: Final = (
    # Events lead to calls: the services that handle events finish while those they call still run.
    tuple(app for app in SERVICES if SUBSCRIPTIONS[app]),
    tuple(app for app in SERVICES if not SUBSCRIPTIONS[app]),
    SIDECARS,
    ("dapr",),
    ("scheduler", "placement"),
    ("broker", "workflow-store"),
    ("epmd",),
)


@dataclass(frozen=True)
class Report:
    """A supervisor's report of an event: restarted, failing, gave_up or killed."""

    name: str
    event: str
    text: str
    tail: str


def start(
    settings: Settings,
    name: str,
    command: Iterable[str | Path],
    environment: Mapping[str, str],
    *,
    grace: float = 10,
) -> "subprocess.Popen[bytes]":
    """Start a command under a supervisor, in its own session, which Ctrl-C does not reach."""
    supervised = [str(keep_alive(settings)), name, "--home", str(settings.home)]
    return subprocess.Popen(
        [
            *supervised,
            *("--directory", str(settings.root), "--grace", str(grace), "--"),
            *(str(part) for part in command),
        ],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def supervisor_of(settings: Settings, name: str) -> psutil.Process | None:
    """Return a process's supervisor, if it is alive.

    A later process with the same ID does not count, nor does a supervisor of the original folder
    if this folder is a copy.
    """
    process = _process(settings.run / f"{name}.keeper")
    with contextlib.suppress(psutil.Error):
        if process and name in process.cmdline():
            home = ownership.home_of(process)
            if home and ownership.is_same(home, settings.home):
                return process
    return None


def pid_of(settings: Settings, name: str) -> int | None:
    """Return the id of a supervised process, or None while it is not running."""
    process, supervisor = _process(settings.run / f"{name}.pid"), supervisor_of(settings, name)
    with contextlib.suppress(psutil.Error):
        if process and supervisor and process.ppid() == supervisor.pid:
            return process.pid
    return None


def running(settings: Settings) -> list[str]:
    """Return the names of the processes whose supervisors are alive."""
    return [name for name in NAMES if supervisor_of(settings, name)]


def stop(settings: Settings, names: Iterable[str], *, patience: float = 30) -> list[str]:
    """Stop these processes together, and return the names of those that were killed."""
    supervisors = {}
    for name in names:
        if supervisor := supervisor_of(settings, name):
            with contextlib.suppress(psutil.Error):
                supervisor.send_signal(signal.SIGTERM)
            supervisors[supervisor] = name
    _, alive = psutil.wait_procs(list(supervisors), timeout=patience)
    for supervisor in alive:
        with contextlib.suppress(psutil.Error):
            supervisor.kill()  # its command is killed with it, by the kernel
    return [supervisors[each] for each in alive]


def stop_all(settings: Settings) -> list[str]:
    """Stop everything, in an order in which each process can still reach what it needs."""
    killed = []
    for names in STOP_ORDER:
        killed += stop(settings, names)
    # An interrupted start may have started more processes meanwhile.
    while left := running(settings):
        killed += stop(settings, left)
    return killed


def send(settings: Settings, name: str, signal_number: int) -> int:
    """Send a signal to a supervised process, not to its supervisor, and return its id."""
    pid = pid_of(settings, name)
    if pid is None:
        raise ProcessLookupError(f"{name} is not running")
    os.kill(pid, signal_number)
    return pid


def reports_since(settings: Settings, offset: int) -> tuple[list[Report], int]:
    """Return the supervisors' reports since an offset, and the offset for the next call."""
    try:
        with (settings.run / "reports.jsonl").open("rb") as file:
            file.seek(offset)
            whole, newline, _ = file.read().rpartition(b"\n")
    except OSError:
        return [], offset
    return list(_read(whole)), offset + len(whole) + len(newline)


def _read(lines: bytes) -> Iterator[Report]:
    for line in lines.splitlines():
        with contextlib.suppress(ValueError, TypeError):
            yield Report(**json.loads(line))


def _process(path: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int(path.read_text()))
    except (OSError, ValueError, psutil.Error):
        return None
