"""The kernel settings that a kubelet changes permanently: saved and restored."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SETTINGS: Final = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
_PROC: Final = Path("/proc/sys")


def read() -> dict[str, str]:
    """Return the current settings."""
    return {name: (_PROC / name).read_text().strip() for name in SETTINGS}


def write(values: Mapping[str, str]) -> None:
    """Restore the settings; one that cannot be written was not written by a kubelet either."""
    for name, value in values.items():
        with contextlib.suppress(OSError):
            (_PROC / name).write_text(value)


def boot_id() -> str:
    """Return an id that changes when the machine boots, which also resets these settings."""
    return (_PROC / "kernel/random/boot_id").read_text().strip()
