"""Keepers as seen from outside: which processes they are, and the folder that each works for."""

import contextlib
from pathlib import Path
from typing import Final

import psutil

SCRIPT: Final = "keep_alive.py"


def home_of(process: psutil.Process) -> Path | None:
    """Return the folder of a keeper's run, as `keep_alive` itself finds it; None for no keeper.

    Raises `psutil.Error` where the process is gone, or is another user's.
    """
    words = process.cmdline()
    script = next((word for word in words if Path(word).name == SCRIPT), None)
    if script is None:
        return None
    own = words[: words.index("--")] if "--" in words else words
    if "--home" in own[:-1]:
        return Path(own[own.index("--home") + 1])
    named = process.environ().get("ORDERFLOW_HOME")
    return Path(named) if named else Path(script).resolve().parents[3] / ".orderflow"


def is_same(told: Path, home: Path) -> bool:
    """Tell whether a run that was told its folder works for this one, and not for its original.

    A copied folder names processes of the original. A folder that is gone was moved here.
    """
    try:
        return told.samefile(home)
    except OSError:
        return True


def run_of(pid: int) -> Path | None:
    """Return the folder of the run that a process belongs to; None where it is no run's."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).parents():
            if home := home_of(process):
                return home
    return None
