"""Takes samples of a platform: rounds of orders and of bare workflows."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.progress import Progress

from orderflow_lab.bench import meter
from orderflow_lab.bench.bare import APP, SIDECAR, BareEngine
from orderflow_lab.bench.figures import Burst, Round, Sample
from orderflow_lab.bench.orders import Done, OrderLoad
from orderflow_tools.platform import Platform
from orderflow_tools.supervision.processes import SERVICES, SIDECARS

ENGINE: Final = ("scheduler", "placement", "broker")
ORDER_PROCESSES: Final = (*SERVICES, *SIDECARS, *ENGINE)
BARE_PROCESSES: Final = (APP, SIDECAR, *ENGINE)

WARM_UP: Final = 60
SETTLE_SECONDS: Final = 0.5
"""After a burst the engine still writes the ends of its workflows, which is part of the cost."""
LONE_PAUSE_SECONDS: Final = 0.3
"""Between single orders, so that none overlaps with the end of the one before."""


class Bench:
    """Takes samples of one platform."""

    def __init__(
        self,
        platform: Platform,
        engine: BareEngine,
        options: argparse.Namespace,
        bar: Progress,
    ) -> None:
        self._platform = platform
        self._engine = engine
        self._options = options
        self._bar = bar
        self._load = OrderLoad(platform.settings)

    def warm_up(self) -> None:
        """Let every process do its first work unmeasured."""
        with self._task("warming up", WARM_UP) as tick:
            self._load.run(WARM_UP, self._options.in_flight, tick=tick)
            self._engine.run(WARM_UP, self._options.in_flight)

    def fill(self, done: int) -> None:
        """Process orders until this many are done."""
        missing = max(0, done - self._load.done)
        with self._task(f"filling up to {done} orders", missing) as tick:
            self._load.run(missing, self._options.in_flight, tick=tick)
        time.sleep(SETTLE_SECONDS)

    def sample(self) -> Sample:
        """Measure orders and bare workflows one at a time, then in alternate bursts."""
        done, before = self._load.done, self._memory()
        lone_orders, lone_bare = self._one_at_a_time()
        rounds = [
            Round(self._orders(number), self._bare()) for number in range(self._options.rounds)
        ]
        return Sample(done, rounds, lone_orders, lone_bare, before, self._memory())

    def _orders(self, number: int) -> Burst:
        title = f"round {number + 1} of {self._options.rounds}"
        with self._task(title, self._options.orders) as tick:
            return _burst(
                ORDER_PROCESSES,
                self._platform.pid,
                lambda: self._load.run(self._options.orders, self._options.in_flight, tick=tick),
            )

    def _bare(self) -> Burst:
        return _burst(
            BARE_PROCESSES,
            self._engine.pid,
            lambda: self._engine.run(self._options.orders, self._options.in_flight),
        )

    def _one_at_a_time(self) -> tuple[Sequence[float], Sequence[float]]:
        with self._task("one at a time", self._options.lone) as tick:
            orders = self._load.run(self._options.lone, 1, pause=LONE_PAUSE_SECONDS, tick=tick)
            bare = self._engine.run(self._options.lone, 1, pause=LONE_PAUSE_SECONDS)
        return orders.latencies_ms, bare.latencies_ms

    def _memory(self) -> dict[str, float]:
        return meter.read([*ORDER_PROCESSES, APP, SIDECAR], self._engine.pid).memory_mb

    @contextmanager
    def _task(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        task = self._bar.add_task(title, total=total)
        yield lambda: self._bar.advance(task)
        self._bar.remove_task(task)


def _burst(names: Sequence[str], pid_of: meter.PidOf, work: Callable[[], Done]) -> Burst:
    before = meter.read(names, pid_of)
    done = work()
    time.sleep(SETTLE_SECONDS)
    spent = meter.read(names, pid_of).cpu_since(before, names)
    return Burst(len(done.latencies_ms), done.seconds, done.latencies_ms, spent)
