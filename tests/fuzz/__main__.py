"""The command behind `make fuzz`: sends generated events to the real platform.

It reports what became of them, and how long good orders took that were published in between.
"""

import argparse
import json
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from fuzz.generating import generate
from fuzz.rounds import Results, Rounds
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout
from system.shop import Shop

BATCH = 400
ROUND = 200
SLOWEST_SECONDS = 2.0


def main() -> int:
    """Run, print the results, and return 1 if there are faults."""
    options = parser().parse_args()
    parent = find_checkout() / ".orderflow" / "fuzz"
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=parent))
    with Platform(Settings.isolated(home)) as platform:
        shop = Shop(platform)
        rounds = Rounds(shop)
        if options.event:
            batch, position = map(int, options.event.split(":"))
            rounds.play(str(batch), generate(batch, BATCH)[position : position + 1], position)
        else:
            play_for(rounds, options.seed, options.minutes, options.events)
        shop.close()
    report(rounds.results)
    if rounds.results.faults:
        print(f"The logs are in {home / 'logs'}.", file=sys.stderr)
        return 1
    shutil.rmtree(home)
    return 0


def play_for(rounds: Rounds, seed: int, minutes: float, events: int | None) -> None:
    """Play round after round for so many minutes, or until so many events were sent."""
    end = time.monotonic() + 60 * minutes
    for number in range(seed, sys.maxsize):
        batch = generate(number, BATCH)
        for first in range(0, len(batch), ROUND):
            results = rounds.results
            if results.sent >= events if events is not None else time.monotonic() > end:
                return
            known = len(results.faults)
            rounds.play(str(number), batch[first : first + ROUND], first)
            for fault in results.faults[known:]:
                print(fault, flush=True)
        print(f"{results.sent} sent, {len(results.faults)} faults", file=sys.stderr, flush=True)


def report(results: Results) -> None:
    """Print the figures."""
    for parked in results.parked:
        print(f"parked: {parked}")
    seconds = sorted(results.good_order_seconds)
    print(
        json.dumps(
            {
                "sent": results.sent,
                "not_acknowledged": results.refused,
                "became": results.became,
                "faults": len(results.faults),
                "good_orders": len(seconds),
                "good_orders_slower_than_2_s": sum(s > SLOWEST_SECONDS for s in seconds),
                "good_order_median_seconds": round(seconds[len(seconds) // 2], 2),
                "good_order_slowest_seconds": round(seconds[-1], 2),
            }
        )
    )


def parser() -> argparse.ArgumentParser:
    """Read the command's options."""
    options = argparse.ArgumentParser(prog="make fuzz ARGS=…", description=__doc__)
    options.add_argument("--minutes", type=float, default=2, help="events are sent for so long")
    options.add_argument("--events", type=int, help="send so many instead")
    options.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options.add_argument("--event", metavar="BATCH:POSITION", help="send only this one again")
    return options


if __name__ == "__main__":
    sys.exit(main())
