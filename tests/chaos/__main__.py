"""The command behind `make chaos`: orders of all kinds under faults of all kinds.

Afterwards every order that was acknowledged has one final status, and stock, money, messages and
the doctor agree. The seed decides about orders and faults; what happens in between is up to the
machine.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from chaos.disturbed_platform import DisturbedPlatform, disturbed_platform, own_file_system
from chaos.faults import chosen
from chaos.judging import Judge
from chaos.load import Load
from chaos.people import ITEMS
from chaos.plans import SECOND_APPROVAL_CENTS, Plan, plan, probe
from chaos.world import Fault, World
from orderflow_tools.settings import find_checkout
from system.shop import Shop, wait_for

CALM_SECONDS = 4.0
"""The pause before each fault; orders are placed meanwhile, and during the fault."""
MOVING_SECONDS = 120.0
SETTINGS = {
    "ORDERS_PICKING": "awaited",
    "ORDERS_SECOND_APPROVAL_THRESHOLD_CENTS": str(SECOND_APPROVAL_CENTS),
}


@dataclass
class Run:
    """A run, and how long a new order took after each fault."""

    world: World
    load: Load
    began: float = field(default_factory=time.monotonic)
    stood_still: list[tuple[str, float]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def say(self, words: str) -> None:
        """Print what happens, and the state of the load."""
        load, seconds = self.load, time.monotonic() - self.began
        print(f"{seconds:7.1f} s  {len(load.placed):5} placed  {words}", flush=True)

    def suffer(self, fault: Fault) -> None:
        """Let a fault happen, and wait until a new order moves."""
        time.sleep(CALM_SECONDS)
        self.say(f"strikes: {fault}")
        fault.strike(self.world)
        time.sleep(fault.hold)
        fault.end(self.world)
        ended, order = time.monotonic(), probe(self.world.seed, len(self.stood_still))
        self.load.play([[order]], 0)
        try:
            wait_for("orders to move again", lambda: self._is_paid(order), MOVING_SECONDS)
        except AssertionError as error:
            self.violations.append(f"{fault}: {error}")
        seconds = time.monotonic() - ended
        self.stood_still.append((str(fault), seconds))
        self.say(f"over, and a new order was paid after {seconds:.1f} s")

    def _is_paid(self, order: Plan) -> bool:
        found = self.world.shop.order(order.order_id)
        return found is not None and found["status"] in {"paid", "completed"}


def main() -> int:
    """Run, report, and return 1 if anything is violated."""
    options = parser().parse_args()
    print(
        f"make chaos ARGS='--seed {options.seed} --orders {options.orders}"
        f" --faults {options.faults}'",
        flush=True,
    )
    parent = find_checkout() / ".orderflow" / "chaos"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=parent))
    with own_file_system(home / "data") as has_own_file_system:
        if not has_own_file_system:
            print("Only root can mount a file system: the disk will not be full.")
        with disturbed_platform(home, **SETTINGS) as platform:
            violations = play(platform, options, has_own_file_system=has_own_file_system)
        if violations or options.keep:
            shutil.copytree(home / "data", home / "data-after")
    if (home / "data-after").exists():
        print(f"Logs and data are in {home}.", file=sys.stderr)
    else:
        shutil.rmtree(home)
    return bool(violations)


def play(
    platform: DisturbedPlatform, options: argparse.Namespace, *, has_own_file_system: bool
) -> list[str]:
    """Place the orders under faults, judge, and report."""
    shop = Shop(platform)
    world = World(platform, shop, options.seed)
    for item in ITEMS:
        shop.restock(item, 12 * options.orders)
    opening = {item: shop.stock(item)["on_hand"] for item in ITEMS}
    load = Load(shop)
    run = Run(world, load)
    groups = plan(options.seed, options.orders)
    try:
        faults = list(chosen(world.draw, options.faults, has_own_file_system=has_own_file_system))
        share = -(-len(groups) // max(1, len(faults)))
        for number, fault in enumerate(faults):
            these = groups[number * share : (number + 1) * share]
            load.play(these, CALM_SECONDS + fault.hold + 2)
            run.suffer(fault)
        platform.wait_until_ready()
        load.finish()
        run.say("all are acknowledged; waiting until all have ended")
        judge = Judge(shop, load, opening)
        judge.judge()
        run.violations += judge.violations
        run.say("all compared")
        report(run, judge)
    finally:
        load.close()
        shop.close()
    return run.violations


def report(run: Run, judge: Judge) -> None:
    """Print the findings, the violations first."""
    for violation in run.violations:
        print(f"VIOLATED: {violation}")
    kinds = Counter(plan.kind for plan in run.load.placed.values())
    ends = Counter(order["status"] for order in judge.orders)
    print(f"Orders: {dict(kinds)}, in {len(run.load.batches)} batches and alone")
    print(f"Ends: {dict(ends)}")
    for fault, seconds in run.stood_still:
        print(f"{seconds:6.1f} s until a new order was paid after {fault}")
    print(f"{len(run.violations)} violations")


def parser() -> argparse.ArgumentParser:
    """Read the command's options."""
    options = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    options.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options.add_argument("--orders", type=int, default=150)
    options.add_argument("--faults", type=int, default=12)
    options.add_argument("--keep", action="store_true", help="keep the logs in any case")
    return options


if __name__ == "__main__":
    sys.exit(main())
