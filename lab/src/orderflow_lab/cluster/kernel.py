"""The settings of the machine's kernel that a kubelet changes for good, kept to be restored."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SETTINGS: Final = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_PROC: Final = Path("/proc/sys")


def read() -> dict[str, str]:
    """Return what the settings are now."""
    return {name: (_PROC / name).read_text().strip() for name in SETTINGS}


def write(values: Mapping[str, str]) -> None:
    """Set them as they were; what may not be written was not written by a kubelet either."""
    for name, value in values.items():
        with contextlib.suppress(OSError):
            (_PROC / name).write_text(value)


def boot_id() -> str:
    """Return what changes whenever the machine starts, and with it all of these settings."""
    return (_PROC / "kernel/random/boot_id").read_text().strip()
