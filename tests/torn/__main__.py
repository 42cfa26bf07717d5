"""The command behind `make torn`: runs orders under faults, and looks for torn histories.

A history is torn if it holds an action twice: the engine has taken an answer of the workflow worker
for one to another turn. The order then stands still, or its workflow fails.
"""

import argparse
import json
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout
from orderflow_workflow_runtime.histories import HistoryUnavailable
from orderflow_workflow_runtime.recorder import Recorder
from system.shop import FINAL, Shop, new_id
from torn.faults import FAULTS, STOP_FILE, Fault
from torn.repeated import has_repeated_action

ITEM = "paperclip"
LOGGED = (
    "doubtful_turn_held",
    "leftover_turn_dropped",
    "turn_restarted",
    "instance_woken",
    "instance_overdue",
    "order_begun_again",
)
"""Events in the log of orders whose number is reported."""
CHANGES_BETWEEN_KILLS = 50
"""Orders is killed in the middle of its work, not while it takes it up again."""
STUCK_SECONDS = 150.0
"""Orders are stuck if none of them changes for this long after the faults.

An order that cannot go on is found and begun again earlier.
"""


class FaultySettings(Settings):
    """Settings of a run with the faulty orders service."""

    @property
    def python(self) -> str:
        """A program that stands for Python, and starts the faulty service in place of orders."""
        return str(self.home / "faulty-python")


@dataclass
class Load:
    """Places orders one after the other, and follows their events."""

    shop: Shop
    rate: float
    in_flight: int
    began: float = field(default_factory=time.monotonic)
    placed: list[str] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    position: str = "0"
    stock: int = 0

    @property
    def open(self) -> set[str]:
        """The orders that have not ended."""
        return {i for i in self.placed if self.statuses.get(i) not in FINAL}

    def place(self) -> None:
        """Place as many orders as are due."""
        due = int((time.monotonic() - self.began) * self.rate) + 1 - len(self.placed)
        new = [new_id("torn") for _ in range(min(due, self.in_flight - len(self.open)))]
        self.placed += new
        self.shop.at_once(
            lambda order_id: self.shop.submit_until_accepted(self.shop.order_data(order_id, ITEM)),
            new,
            threads=8,
        )

    def follow(self) -> int:
        """Read the events since the last call, and return how many there were."""
        entries: Any = self.shop.broker.xrange("orders.status", min=f"({self.position}", count=500)
        for position, fields in entries:
            event = json.loads(fields[b"data"])
            if self.statuses.get(event["subject"]) not in FINAL:  # an earlier one may come again
                self.statuses[event["subject"]] = event["data"]["status"]
            self.position = position.decode()
        return len(entries)


def main() -> int:
    """Run, print the findings, and return 1 if a history is torn or an order is stuck."""
    options = parser().parse_args()
    fault = FAULTS[options.fault]
    parent = find_checkout() / ".orderflow" / "torn"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=parent))
    with Platform(faulty(Settings.isolated(home), fault)) as platform:
        shop = Shop(platform)
        shop.restock(ITEM, int(options.rate * options.seconds) + 100)
        load = Load(shop, options.rate, options.in_flight)
        load.stock = shop.stock(ITEM)["on_hand"]
        kills = disturb(platform, load, fault, options.seconds)
        settle(platform, load)
        found = examine(platform, load)
        shop.close()
    print(json.dumps({"fault": options.fault, "kills": kills} | found))
    if found["torn"] or found["stuck"] or found["doubled"]:
        print(f"The logs are in {home / 'logs'}.", file=sys.stderr)
        return 1
    shutil.rmtree(home)
    return 0


def faulty(settings: Settings, fault: Fault) -> FaultySettings:
    """Return the same settings with a faulty service."""
    changed = FaultySettings(root=settings.root, home=settings.home, ports=settings.ports)
    python, service = shlex.quote(settings.python), Path(__file__).with_name("faulty_orders.py")
    command = shlex.join([str(service), str(settings.home), *fault.arguments()])
    program = Path(changed.python)
    program.write_text(
        f'#!/bin/sh\n[ "$2 $3" = "orders " ] && exec {python} {command}\nexec {python} "$@"\n'
    )
    program.chmod(0o755)
    return changed


def disturb(platform: Platform, load: Load, fault: Fault, seconds: float) -> int:
    """Place orders for a while, killing the service if that is the fault; return the kills."""
    kills, changes, due, end = 0, 0, load.began + fault.kill, load.began + seconds
    while (now := time.monotonic()) < end:
        load.place()
        changes += load.follow()
        if (
            fault.kill
            and now >= due
            and changes >= CHANGES_BETWEEN_KILLS
            and platform.pid("orders")
        ):
            victim = "orders-daprd" if random.random() < fault.sidecars else "orders"
            if platform.pid(victim):
                platform.kill(victim)
            kills, changes, due = kills + 1, 0, now + fault.kill
        time.sleep(0.05)
    (platform.settings.home / STOP_FILE).touch()
    return kills


def settle(platform: Platform, load: Load) -> None:
    """Wait until all orders have ended, or nothing changes any more."""
    platform.wait_until_ready()
    changed = time.monotonic()
    while load.open and time.monotonic() < changed + STUCK_SECONDS:
        if load.follow():
            changed = time.monotonic()
        time.sleep(0.2)


def examine(platform: Platform, load: Load) -> dict[str, Any]:
    """Read every history, and return the results of the run."""
    seconds = time.monotonic() - load.began
    torn = torn_histories(platform.settings, load)
    log = platform.log("orders").read_text(errors="replace")
    return {
        "orders": len(load.placed),
        "torn": len(torn),
        "stuck": len(load.open),
        "doubled": doubled(load),
        "stuck_not_torn": sorted(load.open - torn),
        "statuses": Counter(load.statuses.get(i) for i in load.placed),
        "orders_per_second": round(len(load.placed) / seconds, 1),
        "logged": {words: log.count(words) for words in LOGGED},
    }


def doubled(load: Load) -> int:
    """Return by how many pieces more or less than one for each completed order was shipped."""
    completed = sum(load.statuses.get(i) == "completed" for i in load.placed)
    stock = load.shop.stock(ITEM)
    return int(load.stock - stock["on_hand"] - completed)


def torn_histories(settings: Settings, load: Load) -> set[str]:
    """Return the orders with torn histories, and print these histories."""
    recorder = Recorder(f"127.0.0.1:{settings.ports.apps['orders'].dapr_grpc}")
    found = set()
    for order_id in load.placed:
        try:
            events = recorder.record(order_id).events
        except HistoryUnavailable as error:
            print(f"{order_id}: {error}", file=sys.stderr)
            continue
        if has_repeated_action(events):
            found.add(order_id)
            print(order_id, load.statuses.get(order_id), " ".join(map(brief, events)))
    recorder.close()
    return found


def brief(event: dict[str, Any]) -> str:
    """Return an event's name, number, and the action that it answers."""
    kind = next(k for k in event if k not in {"eventId", "timestamp", "router"})
    answered = event[kind].get("taskScheduledId", event[kind].get("timerId", ""))
    return f"{kind}{event.get('eventId', 0)}{f'<{answered}' if answered else ''}"


def parser() -> argparse.ArgumentParser:
    """Read the command's options."""
    options = argparse.ArgumentParser(prog="make torn ARGS=…", description=__doc__)
    options.add_argument("--fault", choices=FAULTS, default="flapping")
    options.add_argument("--seconds", type=float, default=60, help="orders are placed for so long")
    options.add_argument("--rate", type=float, default=6, help="orders placed in a second")
    options.add_argument("--in-flight", type=int, default=150, help="at most so many at a time")
    return options


if __name__ == "__main__":
    sys.exit(main())
