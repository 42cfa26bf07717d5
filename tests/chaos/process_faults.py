"""Faults of processes, of the network between them, and of their clocks."""

import signal
from dataclasses import dataclass, field

from chaos.links import State
from chaos.world import World


@dataclass
class Killed:
    """A process is killed, and started again by its supervisor."""

    process: str
    hold = 0.0
    _former: int = field(default=0, repr=False)

    def strike(self, world: World) -> None:
        self._former = world.platform.kill(self.process)

    def end(self, world: World) -> None:
        world.platform.wait_for_restart(self.process, self._former)


@dataclass
class Stopped:
    """A process stands still for some seconds."""

    process: str
    hold = 6.0
    _stopped: int = field(default=0, repr=False)

    def strike(self, world: World) -> None:
        self._stopped = world.platform.kill(self.process, signal.SIGSTOP)

    def end(self, world: World) -> None:
        # Its supervisor may have started another one meanwhile.
        if world.platform.pid(self.process) == self._stopped:
            world.platform.kill(self.process, signal.SIGCONT)


@dataclass
class Network:
    """The connections between a service and its sidecar are cut, slow, or pass nothing on."""

    app: str
    state: State
    hold = 8.0

    def strike(self, world: World) -> None:
        world.platform.network.set(self.app, self.state)

    def end(self, world: World) -> None:
        world.platform.network.set(self.app, "open")


@dataclass
class ClockWrong:
    """The clock of a service jumps, and jumps back."""

    app: str
    seconds: float
    hold = 8.0

    def strike(self, world: World) -> None:
        (world.platform.settings.home / f"{self.app}.clock").write_text(str(self.seconds))

    def end(self, world: World) -> None:
        (world.platform.settings.home / f"{self.app}.clock").unlink()
