"""Faults of stored data: lost, set back, locked, read-only, and a full disk."""

import contextlib
import shutil
import signal
import sqlite3
import subprocess
from dataclasses import dataclass, field

from chaos.disturbed_platform import DATA_SIZE
from chaos.world import World

SIDECAR = "orders-daprd"
ALMOST_NOTHING = 256 * 1024
"""The bytes that are left free on a full disk, because it is still being filled."""


@dataclass
class EngineLost:
    """The engine's keys of some orders are deleted, or all of its keys.

    If its sidecar lives on, it still has some workflows in memory, and writes what it knows.
    """

    most: int | None
    sidecar_dies: bool
    hold = 0.0
    _former: int = field(default=0, repr=False)

    def strike(self, world: World) -> None:
        found = world.engine_keys() if self.most is None else world.some_running(self.most)
        keys = [key for keys in found.values() for key in keys]
        self._former = world.platform.kill(SIDECAR) if self.sidecar_dies else 0
        if keys:
            world.shop.broker.delete(*keys)

    def end(self, world: World) -> None:
        if self.sidecar_dies:
            world.platform.wait_for_restart(SIDECAR, self._former)


@dataclass
class EntryLost:
    """One entry of the history of a running order is deleted while its sidecar is away."""

    hold = 0.0
    _former: int = field(default=0, repr=False)

    def strike(self, world: World) -> None:
        entries = [
            key for keys in world.some_running(1).values() for key in keys if b"||history-" in key
        ]
        self._former = world.platform.kill(SIDECAR)
        if entries:
            world.shop.broker.delete(world.draw.choice(entries))

    def end(self, world: World) -> None:
        world.platform.wait_for_restart(SIDECAR, self._former)


@dataclass
class EngineSetBack:
    """The workflows of some orders are set back to what they were some seconds ago."""

    most: int
    hold = 4.0
    _earlier: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    _instances: set[str] = field(default_factory=set, repr=False)

    def strike(self, world: World) -> None:
        found = world.some_running(self.most)
        store = world.shop.broker
        self._instances = set(found)
        dumped = {key: store.dump(key) for keys in found.values() for key in keys}
        self._earlier = {key: value for key, value in dumped.items() if value is not None}

    def end(self, world: World) -> None:
        store = world.shop.broker
        former = world.platform.kill(SIDECAR)
        now = world.engine_keys()
        for key in [key for each in self._instances for key in now.get(each, ())]:
            store.delete(key)
        for key, value in self._earlier.items():
            store.restore(key, 0, value, replace=True)
        world.platform.wait_for_restart(SIDECAR, former)


@dataclass
class SchedulerLost:
    """The scheduler's data is deleted, or set back to what it was some seconds ago."""

    is_set_back: bool
    hold = 5.0

    def strike(self, world: World) -> None:
        if self.is_set_back:
            world.platform.kill("scheduler", signal.SIGSTOP)
            shutil.copytree(world.data / "scheduler", world.data / "scheduler-copy")
            world.platform.kill("scheduler", signal.SIGCONT)

    def end(self, world: World) -> None:
        former = world.platform.kill("scheduler", signal.SIGSTOP)
        shutil.rmtree(world.data / "scheduler")
        if self.is_set_back:
            (world.data / "scheduler-copy").rename(world.data / "scheduler")
        world.platform.kill("scheduler")
        world.platform.wait_for_restart("scheduler", former)


@dataclass
class Locked:
    """Another process holds the write lock of a database, so that writes wait or fail."""

    database: str
    hold: float
    _opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def strike(self, world: World) -> None:
        path = world.data / f"{self.database}.db"
        connection = sqlite3.connect(
            path, timeout=30, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN IMMEDIATE")
        self._opened.callback(connection.close)

    def end(self, world: World) -> None:  # noqa: ARG002 # as with other faults
        self._opened.close()


@dataclass
class ReadOnly:
    """The database of a service refuses writes."""

    app: str
    hold = 8.0

    def strike(self, world: World) -> None:
        (world.platform.settings.home / f"{self.app}.read-only").touch()

    def end(self, world: World) -> None:
        (world.platform.settings.home / f"{self.app}.read-only").unlink()


@dataclass
class DiskFull:
    """There is no space left for any data."""

    hold = 8.0

    def strike(self, world: World) -> None:
        used = shutil.disk_usage(world.data).used
        _resize(world, f"{(used + ALMOST_NOTHING) // 1024}k")

    def end(self, world: World) -> None:
        _resize(world, DATA_SIZE)


def _resize(world: World, size: str) -> None:
    command = ["mount", "-o", f"remount,size={size}", str(world.data)]
    subprocess.run(command, check=True)
