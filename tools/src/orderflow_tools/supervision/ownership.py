"""Which run a supervisor belongs to, as seen from other processes."""

import contextlib
from pathlib import Path
from typing import Final

import psutil

SCRIPT: Final = "keep_alive.py"


def home_of(process: psutil.Process) -> Path | None:
    """Return the folder of a supervisor's run, found as `keep_alive` finds it; None for others.

    Raises `psutil.Error` if the process is gone, or belongs to another user.
    """
    words = process.cmdline()
    script = next((word for word in words if Path(word).name == SCRIPT), None)
    if script is None:
        return None
    own = words[: words.index("--")] if "--" in words else words
    if "--home" in own[:-1]:
        return Path(own[own.index("--home") + 1])
    named = process.environ().get("ORDERFLOW_HOME")
    return Path(named) if named else _checkout_of(Path(script)) / ".orderflow"


def is_same(recorded: Path, home: Path) -> bool:
    """Return whether a recorded folder is this one, and not the original of which this is a copy.

    A recorded folder that no longer exists was moved here.
    """
    try:
        return recorded.samefile(home)
    except OSError:
        return True


def run_of(pid: int) -> Path | None:
    """Return the folder of the run that a process belongs to; None if it belongs to none."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).parents():
            if home := home_of(process):
                return home
    return None


def _checkout_of(script: Path) -> Path:
    """Return the checkout of a script below its `tools`, wherever other versions have it there."""
    path = script.resolve()
    tools = next((folder for folder in path.parents if folder.name == "tools"), path)
    return tools.parent
