"""The arithmetic and the output of the bench."""

import io
import json

import pytest
from rich.console import Console

from orderflow_lab.bench.figures import (
    Burst,
    Round,
    Sample,
    growth,
    medians,
    percentile,
    summary,
)
from orderflow_lab.bench.report import tables


def burst(cpu_ms: float = 100.0, *, broker_ms: float = 20.0) -> Burst:
    return Burst(
        count=10,
        seconds=2.0,
        latencies_ms=[float(number) for number in range(1, 11)],
        cpu_ms={"orders": cpu_ms, "broker": broker_ms},
    )


def bare_burst(worker_ms: float, *, engine_ms: float = 0.0) -> Burst:
    return Burst(10, 2.0, [1.0] * 10, {"bare": worker_ms, "scheduler": engine_ms})


def a_round(orders_ms: float, bare_ms: float, *, engine_ms: float = 0.0) -> Round:
    return Round(burst(orders_ms, broker_ms=0.0), bare_burst(bare_ms, engine_ms=engine_ms))


def sample(*rounds: Round, done: int = 60) -> Sample:
    return Sample(
        done=done,
        rounds=rounds or (a_round(200.0, 100.0),),
        lone_orders_ms=[80.0, 90.0, 70.0],
        lone_bare_ms=[50.0, 40.0, 60.0],
        memory_before_mb={"orders": 100.0, "broker": 5.0},
        memory_after_mb={"orders": 104.0, "broker": 9.0},
    )


def text_of(*samples: Sample) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    for part in tables(samples):
        console.print(part)
    return console.export_text()


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1), (0.0, 1)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    """Of 1 to 100 in any order, it is the value at its rank."""
    values = [float(value) for value in range(100, 0, -1)]

    assert percentile(values, share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    """A single order is its own median and its own worst."""
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


def test_no_values_have_no_percentile() -> None:
    """A burst without a result is an error, not zero."""
    with pytest.raises(ValueError, match="no values, so no percentile"):
        percentile([], 0.5)


def test_a_burst_costs_what_all_its_processes_used() -> None:
    """CPU time is given per piece of work, in total and for each process."""
    measured = burst(100.0, broker_ms=20.0)

    assert measured.per_second == 5.0
    assert measured.cpu_of_one == 12.0
    assert measured.cpu_of_each == {"orders": 10.0, "broker": 2.0}


def test_the_ratio_is_computed_per_round() -> None:
    """A round that a busy machine slowed down on both sides counts like any other."""
    quiet, busy = a_round(200.0, 100.0), a_round(900.0, 300.0)

    assert quiet.ratio == 2.0
    assert sample(quiet, busy, a_round(210.0, 100.0)).ratio == pytest.approx(2.1)


def test_medians_are_computed_per_name() -> None:
    """One process's worst round does not hide another's."""
    rows = [{"a": 1.0, "b": 9.0}, {"a": 3.0, "b": 7.0}, {"a": 2.0, "b": 8.0}]

    assert medians(rows) == {"a": 2.0, "b": 8.0}


def test_growth_is_relative_to_the_bare_worker() -> None:
    """A slower machine is no growth, because the bare worker is slower too."""
    early, late = sample(a_round(200.0, 100.0)), sample(a_round(330.0, 150.0), done=10_000)

    assert growth([early, late]) == pytest.approx(1.1)
    assert growth([early]) is None


def test_growth_of_the_engine_is_growth() -> None:
    """An engine that costs more after many orders is not hidden by the bare workflow."""
    early = sample(a_round(200.0, 100.0, engine_ms=100.0))
    late = sample(a_round(300.0, 100.0, engine_ms=200.0))

    assert early.ratio == late.ratio == 1.0
    assert growth([early, late]) == pytest.approx(1.5)


def test_a_summary_is_json_with_every_figure() -> None:
    """It contains the ratio, both kinds of work, each process and its memory."""
    figures = json.loads(json.dumps(summary(sample())))

    assert figures["cpu_ratio"] == 2.0
    assert figures["cpu_ratio_by_round"] == [2.0]
    assert figures["orders"] == {
        "rounds": 1,
        "count_in_a_round": 10,
        "per_second": 5.0,
        "p50_ms": 5.0,
        "p99_ms": 10.0,
        "lone_p50_ms": 80.0,
        "lone_max_ms": 90.0,
        "cpu_ms": 20.0,
        "cpu_ms_by_round": [20.0],
        "cpu_ms_by_process": {"orders": 20.0, "broker": 0.0},
    }
    assert figures["bare_workflow"]["lone_p50_ms"] == 50.0
    assert figures["memory_mb"]["broker"] == {"start": 5.0, "end": 9.0}


def test_the_tables_show_the_ratio_and_the_processes() -> None:
    """They show speed, cost, memory, and the main figure."""
    text = text_of(sample())

    assert "relative to a bare workflow of five activities: 2.00 (rounds: 2.00)" in text
    assert "After 60 orders" in text
    assert "104 MB" in text
    assert "after 60:" not in text


def test_two_samples_end_with_the_growth_of_the_cost() -> None:
    """After many orders, an order should cost as much as at first."""
    text = text_of(sample(), sample(done=10_000))

    assert "after 10000 orders relative to 60, measured by the CPU of the bare worker: 1.00" in text
