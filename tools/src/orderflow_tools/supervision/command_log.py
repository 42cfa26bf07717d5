"""The log of a supervised command."""

import contextlib
from pathlib import Path
from typing import IO, Final

LOG_LIMIT: Final = 20_000_000
"""Bytes beyond which a log becomes NAME.log.1 when its command is first started."""
TAIL_LINES: Final = 15
TAIL_BYTES: Final = 20_000


class CommandLog:
    """The file to which a command's output is appended, across restarts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def rotate(self) -> None:
        """Rename the log if it has grown beyond the limit."""
        with contextlib.suppress(OSError):
            if self._path.stat().st_size > LOG_LIMIT:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def open(self) -> IO[bytes]:
        """Open the log for the command's next start; raise OSError if that fails."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        log = self._path.open("ab")
        self._offset = log.tell()
        return log

    def tail(self) -> str:
        """Return the last lines that the command wrote since its start, if they can be read."""
        lines: list[str] = []
        with contextlib.suppress(OSError), self._path.open("rb") as log:
            log.seek(self._offset)
            lines = log.read()[-TAIL_BYTES:].decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])
