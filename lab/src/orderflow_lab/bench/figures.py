"""The arithmetic of the bench: percentiles, cost of one piece of work, and ratios pair by pair."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

CLOCK: Final = "bare"
"""The bare worker. It does the same work each time, whatever the engine keeps: its CPU for a
workflow tells how dear CPU time is at the moment."""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share (0 to 1) of all values does not exceed, by nearest rank.

    >>> percentile([4, 1, 3, 2], 0.5)
    2
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    rank = max(1, math.ceil(share * len(values)))
    return sorted(values)[rank - 1]


@dataclass(frozen=True)
class Burst:
    """So much work at once: wall seconds, latencies in ms, CPU ms of each process in all."""

    count: int
    seconds: float
    latencies_ms: Sequence[float]
    cpu_ms: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Pieces of work done in a second."""
        return self.count / self.seconds

    @property
    def cpu_of_each(self) -> dict[str, float]:
        """CPU ms of each process for one piece of work."""
        return {name: spent / self.count for name, spent in self.cpu_ms.items()}

    @property
    def cpu_of_one(self) -> float:
        """CPU ms of all processes for one piece of work."""
        return sum(self.cpu_ms.values()) / self.count


@dataclass(frozen=True)
class Round:
    """Orders and bare workflows measured right after each other, so that noise meets both."""

    orders: Burst
    bare: Burst

    @property
    def ratio(self) -> float:
        """CPU for an order against CPU for a bare workflow."""
        return self.orders.cpu_of_one / self.bare.cpu_of_one

    @property
    def by_clock(self) -> float:
        """CPU for an order against that of the bare worker alone, without the engine."""
        return self.orders.cpu_of_one / self.bare.cpu_of_each[CLOCK]


@dataclass(frozen=True)
class Sample:
    """What was measured at one moment of the platform's life.

    `done`: orders that had ended before. Lone latencies are those of work done one at a time.
    Memory is each process's resident set in MB, before and after.
    """

    done: int
    rounds: Sequence[Round]
    lone_orders_ms: Sequence[float]
    lone_bare_ms: Sequence[float]
    memory_before_mb: Mapping[str, float]
    memory_after_mb: Mapping[str, float]

    @property
    def ratio(self) -> float:
        """The median of the ratios of all rounds: the figure that counts."""
        return statistics.median(each.ratio for each in self.rounds)

    @property
    def by_clock(self) -> float:
        """The median cost of an order in the time of the bare worker."""
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
    """Return all figures of a sample as JSON takes them, medians of its rounds first."""
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
    """Return the cost of an order in the last sample against the first, by the bare worker's CPU.

    Against the whole bare workflow, an engine that had become dearer would not be seen. None where
    there is only one sample to tell it from.
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
