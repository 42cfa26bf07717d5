"""The table of faults, and which of them a run has."""

import random
from collections.abc import Iterator
from typing import Final

from chaos.data_faults import (
    DiskFull,
    EngineLost,
    EngineSetBack,
    EntryLost,
    Locked,
    ReadOnly,
    SchedulerLost,
)
from chaos.process_faults import ClockWrong, Killed, Network, Stopped
from chaos.world import Fault
from orderflow_contracts.names import SERVICES, SUBSCRIPTIONS
from orderflow_tools.supervision.processes import SIDECARS

PROCESSES: Final = (*SERVICES, *SIDECARS, "scheduler", "placement", "broker")
WITH_TABLES: Final = tuple(app for app in SERVICES if SUBSCRIPTIONS[app])
LEDGER: Final = "inventory"

FAULTS: Final[dict[str, tuple[Fault, ...]]] = {
    "killed": tuple(map(Killed, PROCESSES)),
    "stopped": tuple(map(Stopped, PROCESSES)),
    "network cut": tuple(Network(app, "cut") for app in SERVICES),
    "network slow": tuple(Network(app, "slow") for app in SERVICES),
    "network silent": tuple(Network(app, "silent") for app in SERVICES),
    "some of the engine's data lost": (
        EngineLost(5, sidecar_dies=True),
        EngineLost(5, sidecar_dies=False),
    ),
    "all of the engine's data lost": (
        EngineLost(None, sidecar_dies=True),
        EngineLost(None, sidecar_dies=False),
    ),
    "an entry of a history lost": (EntryLost(),),
    "the engine's data set back": (EngineSetBack(5),),
    "the scheduler's data lost": (SchedulerLost(is_set_back=False),),
    "the scheduler's data set back": (SchedulerLost(is_set_back=True),),
    "database locked": (*(Locked(app, 10) for app in WITH_TABLES), Locked(LEDGER, 10)),
    "database read-only": tuple(map(ReadOnly, WITH_TABLES)),
    "disk full": (DiskFull(),),
    "clock wrong": tuple(
        ClockWrong(app, seconds) for app in WITH_TABLES for seconds in (-3600, -90, 90, 3600)
    ),
}
"""What can go wrong, by kind: one of each kind in turn, in an order that the seed decides."""
ON_OWN_FILE_SYSTEM: Final = "disk full"


def chosen(draw: random.Random, count: int, *, has_own_file_system: bool) -> Iterator[Fault]:
    """Yield faults so that each kind comes once before any comes again."""
    names = [each for each in FAULTS if has_own_file_system or each != ON_OWN_FILE_SYSTEM]
    for number in range(count):
        if number % len(names) == 0:
            draw.shuffle(names)
        yield draw.choice(FAULTS[names[number % len(names)]])
