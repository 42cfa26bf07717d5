"""The processes of a run, each under a keeper: started, found by their pid files, stopped."""

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
from orderflow_tools import keepers
from orderflow_tools.dapr_files import keep_alive
from orderflow_tools.settings import APPS, Settings

SERVICES: Final = APPS
SIDECARS: Final = tuple(f"{app}-daprd" for app in APPS)
NAMES: Final = ("broker", "placement", "scheduler", "dapr", *SIDECARS, *SERVICES)
"""Every kept process. `dapr` is `dapr run`, which starts the sidecars and the services."""

STOP_ORDER: Final = (
    # Events lead to calls: the services that handle events finish while those they call still run.
    tuple(app for app in SERVICES if SUBSCRIPTIONS[app]),
    tuple(app for app in SERVICES if not SUBSCRIPTIONS[app]),
    SIDECARS,
    ("dapr",),
    ("scheduler", "placement"),
    ("broker",),
)


@dataclass(frozen=True)
class Report:
    """What a keeper has told: an event (restarted, failing, gave_up, killed) in words."""

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
    """Start a command under a keeper, in a session of its own, so that Ctrl-C does not reach it."""
    keeping = [str(keep_alive(settings)), name, "--home", str(settings.home)]
    return subprocess.Popen(
        [
            *keeping,
            *("--directory", str(settings.root), "--grace", str(grace), "--"),
            *(str(part) for part in command),
        ],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def keeper_of(settings: Settings, name: str) -> psutil.Process | None:
    """Return a process's keeper, if it lives.

    A number that another process has got is not it, and neither is the keeper of another folder,
    of which this one is a copy.
    """
    process = _process(settings.run / f"{name}.keeper")
    with contextlib.suppress(psutil.Error):
        if process and name in process.cmdline():
            home = keepers.home_of(process)
            if home and keepers.is_same(home, settings.home):
                return process
    return None


def pid_of(settings: Settings, name: str) -> int | None:
    """Return a kept process's id, or None while it is not running."""
    process, keeper = _process(settings.run / f"{name}.pid"), keeper_of(settings, name)
    with contextlib.suppress(psutil.Error):
        if process and keeper and process.ppid() == keeper.pid:
            return process.pid
    return None


def running(settings: Settings) -> list[str]:
    """Return the names of the kept processes whose keepers live."""
    return [name for name in NAMES if keeper_of(settings, name)]


def stop(settings: Settings, names: Iterable[str], *, patience: float = 30) -> list[str]:
    """Stop these processes together, and return the names of those that had to be killed."""
    keepers = {}
    for name in names:
        if keeper := keeper_of(settings, name):
            with contextlib.suppress(psutil.Error):
                keeper.send_signal(signal.SIGTERM)
            keepers[keeper] = name
    _, alive = psutil.wait_procs(list(keepers), timeout=patience)
    for keeper in alive:
        with contextlib.suppress(psutil.Error):
            keeper.kill()  # its command is killed with it, by the kernel
    return [keepers[keeper] for keeper in alive]


def stop_all(settings: Settings) -> list[str]:
    """Stop whatever runs, in an order in which each finds what it needs to end well."""
    killed = []
    for names in STOP_ORDER:
        killed += stop(settings, names)
    # A start that was interrupted may have begun something behind our back.
    while left := running(settings):
        killed += stop(settings, left)
    return killed


def send(settings: Settings, name: str, signal_number: int) -> int:
    """Send a signal to a kept process (not to its keeper), and return its id."""
    pid = pid_of(settings, name)
    if pid is None:
        raise ProcessLookupError(f"{name} is not running")
    os.kill(pid, signal_number)
    return pid


def reports_since(settings: Settings, offset: int) -> tuple[list[Report], int]:
    """Return what keepers have told since an offset, and the offset for the next call."""
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
