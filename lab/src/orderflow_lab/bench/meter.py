"""CPU time and memory of processes, as the operating system counts them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import psutil

from orderflow_tools.errors import PlatformError

MEGABYTE: Final = 1024 * 1024

PidOf = Callable[[str], int | None]


@dataclass(frozen=True)
class Reading:
    """Readings of processes: their ids, CPU time in ms since their start, and memory in MB."""

    pids: dict[str, int]
    cpu_ms: dict[str, float]
    memory_mb: dict[str, float]

    def cpu_since(self, earlier: "Reading", names: Collection[str]) -> dict[str, float]:
        """Return the CPU time in ms since an earlier reading; raise if a process was restarted."""
        for name in names:
            if self.pids[name] != earlier.pids[name]:
                raise PlatformError(f"{name} died during the measurement: see its log.")
        return {name: self.cpu_ms[name] - earlier.cpu_ms[name] for name in names}


def read(names: Collection[str], pid_of: PidOf) -> Reading:
    """Read all these processes now."""
    reading = Reading({}, {}, {})
    for name in names:
        try:
            process = psutil.Process(_known(pid_of(name)))
            times = process.cpu_times()
            reading.memory_mb[name] = process.memory_info().rss / MEGABYTE
        except (psutil.Error, ProcessLookupError) as error:
            raise PlatformError(f"{name} is not running: see its log.") from error
        reading.pids[name] = process.pid
        reading.cpu_ms[name] = 1000 * (times.user + times.system)
    return reading


def _known(pid: int | None) -> int:
    if pid is None:
        raise ProcessLookupError
    return pid
