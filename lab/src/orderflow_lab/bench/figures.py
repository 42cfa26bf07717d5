"""The arithmetic of the bench: percentiles, cost per piece of work, and ratios per round."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CLOCK: Final = "bare"
"""The bare worker. It always does the same work, however much data the engine has, so its CPU time
for a workflow shows how fast the machine is at the moment."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of the values; `share` is from 0 to 1.

    >>> percentile([4, 1, 3, 2], 0.5)
    2
    """
    if not values:
        raise ValueError("no values, so no percentile")
    rank = max(1, math.ceil(share * len(values)))
    return sorted(values)[rank - 1]


@dataclass(frozen=True)
class Burst:
    """Work done together: count, wall seconds, latencies in ms, CPU ms of each process."""

    count: int
    seconds: float
    latencies_ms: Sequence[float]
    cpu_ms: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Pieces of work per second."""
        return self.count / self.seconds

    @property
    def cpu_of_each(self) -> dict[str, float]:
        """CPU time in ms of each process per piece of work."""
        return {name: spent / self.count for name, spent in self.cpu_ms.items()}

    @property
    def cpu_of_one(self) -> float:
        """CPU time in ms of all processes per piece of work."""
        return sum(self.cpu_ms.values()) / self.count


@dataclass(frozen=True)
class Round:
    """Orders and bare workflows measured in direct succession, so that noise affects both."""

    orders: Burst
    bare: Burst

    @property
    def ratio(self) -> float:
        """CPU time of an order divided by that of a bare workflow."""
        return self.orders.cpu_of_one / self.bare.cpu_of_one

    @property
    def by_clock(self) -> float:
        """CPU time of an order divided by that of the bare worker alone, without the engine."""
        return self.orders.cpu_of_one / self.bare.cpu_of_each[CLOCK]


@dataclass(frozen=True)
class Sample:
    """What was measured after `done` orders.

    Lone latencies, in ms, are those of work done one at a time. Memory is the resident set of each
    process in MB, before and after.
    """

    done: int
    rounds: Sequence[Round]
    lone_orders_ms: Sequence[float]
    lone_bare_ms: Sequence[float]
    memory_before_mb: Mapping[str, float]
    memory_after_mb: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """The median ratio of all rounds, which is the main figure."""
        return statistics.median(each.ratio for each in self.rounds)

    @property
    def by_clock(self) -> float:
        """The median CPU time of an order, relative to the bare worker."""
        return statistics.median(each.by_clock for each in self.rounds)

    @property
    def orders(self) -> Sequence[Burst]:
        """The bursts of orders."""
        return [each.orders for each in self.rounds]

    @property
    def bare(self) -> Sequence[Burst]:
        """The bursts of bare workflows."""
        return [each.bare for each in self.rounds]


def summary(sample: Sample) -> dict[str, Any]:
    """Return all figures of a sample as JSON data, as medians of its rounds."""
    return {
        "done_before": sample.done,
        "cpu_ratio": round(sample.ratio, 3),
        "cpu_ratio_by_round": [round(each.ratio, 3) for each in sample.rounds],
        "orders": _of_bursts(sample.orders, sample.lone_orders_ms),
        "bare_workflow": _of_bursts(sample.bare, sample.lone_bare_ms),
        "memory_mb": {
            name: {"start": round(before, 1), "end": round(sample.memory_after_mb[name], 1)}
            for name, before in sample.memory_before_mb.items()
        },
    }


def growth(samples: Sequence[Sample]) -> float | None:
    """Return the cost of an order in the last sample relative to the first; None with one sample.

    Costs are relative to the bare worker's CPU time. Relative to the whole bare workflow, a slower
    engine would go unnoticed.
    """
    return samples[-1].by_clock / samples[0].by_clock if len(samples) > 1 else None


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each name over all rows."""
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def _of_bursts(bursts: Sequence[Burst], lone_ms: Sequence[float]) -> dict[str, Any]:
    def median(read: Sequence[float]) -> float:
        return round(statistics.median(read), 2)

    return {
        "rounds": len(bursts),
        "count_in_a_round": bursts[0].count,
        "per_second": median([burst.per_second for burst in bursts]),
        "p50_ms": median([percentile(burst.latencies_ms, 0.5) for burst in bursts]),
        "p99_ms": median([percentile(burst.latencies_ms, 0.99) for burst in bursts]),
        "lone_p50_ms": round(percentile(lone_ms, 0.5), 2),
        "lone_max_ms": round(max(lone_ms), 2),
        "cpu_ms": median([burst.cpu_of_one for burst in bursts]),
        "cpu_ms_by_round": [round(burst.cpu_of_one, 2) for burst in bursts],
        "cpu_ms_by_process": {
            name: round(spent, 2)
            for name, spent in medians([burst.cpu_of_each for burst in bursts]).items()
        },
    }
