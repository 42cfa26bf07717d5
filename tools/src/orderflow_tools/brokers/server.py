"""What the platform needs to know about a server that it starts for the sidecars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Process:
    """A command to keep alive, and variables to add to the environment of the run."""

    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)


class Server(Protocol):
    """A server of one run. Making the object finds, writes and starts nothing."""

    @property
    def name(self) -> str:
        """The name of its main process in `supervision.processes.NAMES`."""
        ...

    @property
    def port(self) -> int:
        """The port that sidecars connect to."""
        ...

    def find(self) -> str:
        """Find the programs, or install them, and return for people where they are from.

        Raises PlatformError, which says what to install.
        """
        ...

    def processes(self) -> Mapping[str, Process]:
        """Write the configuration, and return the processes by name in the order of their start."""
        ...

    def is_serving(self) -> bool:
        """Return whether the server answers and has loaded its data."""
        ...


class Broker(Server, Protocol):
    """A server for events."""

    @property
    def is_resumed(self) -> bool:
        """Whether sidecars resume all their subscriptions after a restart of the broker."""
        ...

    def component(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the component `pubsub` for this broker, given the one in `components`."""
        ...
