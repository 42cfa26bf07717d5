"""The command behind `make bench`."""

import argparse
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import load
from orderflow_cli.terminal import safe_streams
from orderflow_tools.bench import meter
from orderflow_tools.bench.bare import APP, SIDECAR, BareEngine
from orderflow_tools.bench.figures import Burst, Round, Sample, growth, summary
from orderflow_tools.bench.orders import ITEM, Done, OrderLoad
from orderflow_tools.bench.report import tables
from orderflow_tools.console import complain, step
from orderflow_tools.errors import PlatformError
from orderflow_tools.keep_alive import stop_signals
from orderflow_tools.kept import SERVICES, SIDECARS
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout

ENGINE: Final = ("scheduler", "placement", "broker")
ORDER_PROCESSES: Final = (*SERVICES, *SIDECARS, *ENGINE)
BARE_PROCESSES: Final = (APP, SIDECAR, *ENGINE)

WARM_UP: Final = 60
SETTLE_SECONDS: Final = 0.5
"""After a burst the engine still writes the ends of its workflows: that is part of the cost."""
LONE_PAUSE_SECONDS: Final = 0.3
"""Between lone pieces of work, so that none meets the tail of the one before."""


@safe_streams()
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on a platform of its own, print the tables, and return the exit code."""
    options = options_parser().parse_args(arguments)
    for number in stop_signals():
        signal.signal(number, _interrupt)
    try:
        with _home(find_checkout()) as home:
            samples = measure(Settings.isolated(home), options)
    except (PlatformError, OrderflowError, OSError) as error:
        complain(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        return 130
    console = Console()
    for part in tables(samples):
        console.print(part)
    if options.json:
        options.json.write_text(json.dumps(document(samples, options), indent=2) + "\n")
    return 0


def measure(settings: Settings, options: argparse.Namespace) -> list[Sample]:
    """Run everything and return the samples: one, and another after `--done` orders if asked."""
    with Platform(settings, step=step) as platform, BareEngine(platform) as engine, _bar() as bar:
        bench = Bench(platform, engine, options, bar)
        with Orderflow(load(settings.client_environment())) as shop:
            # Twice what is needed at most: a bench that runs out of stock measures rejections.
            shop.restock(ITEM, 2 * (options.done + (options.rounds + 1) * 2 * options.orders + 500))
        bench.warm_up()
        samples = [bench.sample()]
        if options.done:
            bench.fill(options.done)
            samples.append(bench.sample())
        return samples


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
        """Have orders done until so many are."""
        missing = max(0, done - self._load.done)
        with self._task(f"filling up to {done} orders", missing) as tick:
            self._load.run(missing, self._options.in_flight, tick=tick)
        time.sleep(SETTLE_SECONDS)

    def sample(self) -> Sample:
        """Measure rounds of orders and bare workflows in turn, and each alone."""
        done, before = self._load.done, self._memory()
        lone_orders, lone_bare = self._alone()
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

    def _alone(self) -> tuple[Sequence[float], Sequence[float]]:
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


def document(samples: Sequence[Sample], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a whole run, for programs."""
    return {
        "orders": options.orders,
        "in_flight": options.in_flight,
        "samples": [summary(sample) for sample in samples],
        "growth": growth(samples),
    }


def _burst(names: Sequence[str], pid_of: meter.PidOf, work: Callable[[], Done]) -> Burst:
    before = meter.read(names, pid_of)
    done = work()
    time.sleep(SETTLE_SECONDS)
    spent = meter.read(names, pid_of).cpu_since(before, names)
    return Burst(len(done.latencies_ms), done.seconds, done.latencies_ms, spent)


@contextmanager
def _home(root: Path) -> Iterator[Path]:
    """Make a folder for the run, and remove it afterwards, unless its logs can tell a failure."""
    parent = root / ".orderflow" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield home
    except Exception:
        complain(f"\nThe logs of this run are in {home / 'logs'}.")
        raise
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    shutil.rmtree(home)


def _bar() -> Progress:
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=2,  # each renewal takes time from what is measured
    )


def options_parser() -> argparse.ArgumentParser:
    """Read the command's options."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--orders", type=_positive, default=300, help="orders in a round")
    parser.add_argument("--in-flight", type=_positive, default=20, help="so many at a time")
    parser.add_argument("--rounds", type=_positive, default=3, help="rounds, each with its bare")
    parser.add_argument("--lone", type=_positive, default=20, help="orders one at a time")
    parser.add_argument(
        "--done", type=_positive, default=0, help="measure again after so many orders"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
