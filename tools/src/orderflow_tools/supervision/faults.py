"""Faults of the machine and faults of a command: only the latter end a supervisor."""

import errno
import os
import subprocess
from pathlib import Path
from typing import Final

MACHINE_FAULTS: Final = (OSError, MemoryError, subprocess.SubprocessError)
"""Raised if the machine runs out of disk space, memory, processes or file handles."""
COMMAND_FAULTS: Final = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.ENOEXEC,
    errno.ELOOP,
}
"""Error numbers which mean that a command is wrong, if it has never been started."""
ROOM: Final = 16_000_000
"""Bytes that must be free on the run's disk before a death is blamed on the command."""


def is_disk_full(folder: Path) -> bool:
    """Return whether the disk of a folder has too little room, or too few files left."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize < ROOM or 0 == disk.f_favail < disk.f_files
