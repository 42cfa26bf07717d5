"""Files that hold process ids, written again whenever they are missing."""

import contextlib
import os
from pathlib import Path

from orderflow_tools.supervision.faults import MACHINE_FAULTS


class PidFiles:
    """The pid files of one supervisor and its command."""

    def __init__(self) -> None:
        self._pids: dict[Path, int] = {}
        self._written: set[Path] = set()

    def add(self, path: Path, pid: int) -> None:
        """Register a file that must hold this process ID; `write_missing` writes it."""
        self._pids[path] = pid
        self._written.discard(path)

    def remove(self, path: Path) -> None:
        """Remove a file, unless it belongs to a successor by now."""
        remove_own(path, self._pids.pop(path))

    def write_missing(self) -> None:
        """Write each file that is not there, as far as the machine allows."""
        for path, pid in self._pids.items():
            with contextlib.suppress(*MACHINE_FAULTS):
                if path not in self._written or not path.exists():
                    write_atomically(path, f"{pid}\n")
                    self._written.add(path)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_text(text)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def remove_own(path: Path, pid: int) -> bool:
    """Remove a pid file if it still holds this id; return whether it did."""
    try:
        own = path.read_text() == f"{pid}\n"
        if own:
            path.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError):
        return False
    return own
