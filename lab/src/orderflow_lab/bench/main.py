"""The command `bench`: measures what an order costs."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from orderflow_cli.client import Orderflow
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import load
from orderflow_contracts.numbers import read_whole_number
from orderflow_lab.bench.bare import BareEngine
from orderflow_lab.bench.bench import Bench
from orderflow_lab.bench.figures import Sample, growth, summary
from orderflow_lab.bench.orders import ITEM
from orderflow_lab.bench.report import tables
from orderflow_tools.console import print_error, step
from orderflow_tools.errors import PlatformError
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout


def bench(_settings: Settings, options: argparse.Namespace) -> int:
    """Measure on a platform of its own, print the tables, and return the exit code."""
    try:
        with _home(find_checkout()) as home:
            samples = measure(Settings.isolated(home), options)
    except (OrderflowError, OSError) as error:
        raise PlatformError(str(error)) from error
    console = Console()
    for part in tables(samples):
        console.print(part)
    if options.json:
        options.json.write_text(json.dumps(document(samples, options), indent=2) + "\n")
    return 0


def measure(settings: Settings, options: argparse.Namespace) -> list[Sample]:
    """Run everything and return the samples: one, and with `--done` another after those orders."""
    with Platform(settings, step=step) as platform, BareEngine(platform) as engine, _bar() as bar:
        bench = Bench(platform, engine, options, bar)
        with Orderflow(load(settings.client_environment())) as shop:
            # Twice the most that is needed: without stock, rejections would be measured.
            shop.restock(ITEM, 2 * (options.done + (options.rounds + 1) * 2 * options.orders + 500))
        bench.warm_up()
        samples = [bench.sample()]
        if options.done:
            bench.fill(options.done)
            samples.append(bench.sample())
        return samples


def document(samples: Sequence[Sample], options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of a whole run as JSON data."""
    return {
        "orders": options.orders,
        "in_flight": options.in_flight,
        "samples": [summary(sample) for sample in samples],
        "growth": growth(samples),
    }


@contextmanager
def _home(root: Path) -> Iterator[Path]:
    """Make a folder for the run and remove it afterwards, but keep its logs after a failure."""
    parent = root / ".orderflow" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield home
    except Exception:
        print_error(f"\nThe logs of this run are in {home / 'logs'}.")
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
        refresh_per_second=2,  # each refresh takes CPU time from what is measured
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--orders", type=_positive, default=300, help="orders in a round")
    parser.add_argument("--in-flight", type=_positive, default=20, help="how many at the same time")
    parser.add_argument(
        "--rounds", type=_positive, default=3, help="rounds of orders and bare workflows"
    )
    parser.add_argument(
        "--lone", type=_positive, default=20, help="orders that are placed one at a time"
    )
    parser.add_argument(
        "--done", type=_positive, default=0, help="measure again after this many orders"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")


def _positive(text: str) -> int:
    number = read_whole_number(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return number
