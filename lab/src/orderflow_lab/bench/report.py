"""The figures as tables."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from orderflow_lab.bench.figures import Sample, growth, summary


def tables(samples: Sequence[Sample]) -> Iterator[Table | str]:
    """Yield for each sample a table of work, a table of processes, and the ratio."""
    for sample in samples:
        figures = summary(sample)
        yield _work(figures, sample.done)
        yield _processes(figures)
        by_round = ", ".join(f"{ratio:.2f}" for ratio in figures["cpu_ratio_by_round"])
        yield (
            f"CPU of an order relative to a bare workflow of five activities: "
            f"{figures['cpu_ratio']:.2f} (rounds: {by_round})\n"
        )
    grown = growth(samples)
    if grown is not None:
        yield (
            f"CPU of an order after {samples[-1].done} orders relative to {samples[0].done}, "
            f"measured by the CPU of the bare worker: {grown:.2f}\n"
        )


def _work(figures: dict[str, dict[str, float]], done: int) -> Table:
    table = Table(title=f"After {done} orders", title_justify="left")
    table.add_column("")
    for title in ("order", "bare workflow"):
        table.add_column(title, justify="right")
    for title, key, form in (
        ("per second", "per_second", "{:.1f}"),
        ("p50", "p50_ms", "{:.0f} ms"),
        ("p99", "p99_ms", "{:.0f} ms"),
        ("one at a time, p50", "lone_p50_ms", "{:.0f} ms"),
        ("one at a time, maximum", "lone_max_ms", "{:.0f} ms"),
        ("CPU of all processes", "cpu_ms", "{:.1f} ms"),
    ):
        cells = (form.format(figures[kind][key]) for kind in ("orders", "bare_workflow"))
        table.add_row(title, *cells)
    return table


def _processes(figures: dict[str, dict[str, dict[str, float]]]) -> Table:
    table = Table(title="Processes", title_justify="left")
    table.add_column("")
    for title in ("CPU, order", "CPU, bare", "memory, start", "end"):
        table.add_column(title, justify="right")
    of_order = figures["orders"]["cpu_ms_by_process"]
    of_bare = figures["bare_workflow"]["cpu_ms_by_process"]
    for name in sorted({*of_order, *of_bare}, key=lambda name: -of_order.get(name, 0.0)):
        memory = figures["memory_mb"].get(name, {})
        table.add_row(
            name,
            _cell(of_order.get(name), "{:.1f} ms"),
            _cell(of_bare.get(name), "{:.1f} ms"),
            _cell(memory.get("start"), "{:.0f} MB"),
            _cell(memory.get("end"), "{:.0f} MB"),
        )
    return table


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
