"""The measurements and options of the bench, without a platform."""

import argparse
import os

import pytest

from orderflow_lab.bench import bare_worker, main, meter
from orderflow_lab.bench.figures import Burst, Round, Sample
from orderflow_tools.errors import PlatformError


def options(arguments: list[str]) -> argparse.Namespace:
    """Parse the options of the command."""
    parser = argparse.ArgumentParser()
    main.add_options(parser)
    return parser.parse_args(arguments)


class RecordedContext:
    """A workflow context that records the called activities."""

    instance_id = "bare-1"

    def __init__(self) -> None:
        self.called: list[tuple[str, object]] = []

    def call_activity(self, name: str, *, input: object) -> str:  # noqa: A002 # the SDK's name
        self.called.append((name, input))
        return name


def test_a_bare_workflow_has_five_activities() -> None:
    """It has as many steps as a small order, in sequence."""
    context = RecordedContext()
    workflow = bare_worker.bare_workflow(context, None)  # type: ignore[arg-type]

    yielded = list(workflow)

    assert yielded == ["nothing"] * 5
    assert context.called[-1] == ("nothing", {"id": "bare-1", "step": 5})


def test_the_meter_reads_a_process() -> None:
    """CPU time never decreases, and memory is in use."""
    first = meter.read(["me"], lambda _: os.getpid())
    sum(number * number for number in range(200_000))
    second = meter.read(["me"], lambda _: os.getpid())

    assert second.cpu_since(first, ["me"])["me"] >= 0.0
    assert second.memory_mb["me"] > 1.0


def test_the_meter_says_which_process_is_missing() -> None:
    """A process that does not run cannot be measured."""
    with pytest.raises(PlatformError, match="scheduler is not running"):
        meter.read(["scheduler"], lambda _: None)


def test_a_process_that_died_meanwhile_cannot_be_measured() -> None:
    """The CPU time of a new process says nothing about the old one's."""
    first = meter.Reading({"orders": 1}, {"orders": 10.0}, {"orders": 1.0})
    second = meter.Reading({"orders": 2}, {"orders": 1.0}, {"orders": 1.0})

    with pytest.raises(PlatformError, match="orders died"):
        second.cpu_since(first, ["orders"])


def test_the_options_have_the_documented_defaults() -> None:
    """Without arguments: 300 orders, 20 in flight, three rounds, one sample."""
    read = options([])

    assert (read.orders, read.in_flight, read.rounds, read.done) == (300, 20, 3, 0)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_counts_must_be_positive(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Zero orders cannot be measured, and the error names the option."""
    with pytest.raises(SystemExit):
        options(["--orders", value])

    assert "--orders" in capsys.readouterr().err


def test_the_document_records_the_load() -> None:
    """Figures are only useful together with the load."""
    burst = Burst(1, 1.0, [50.0], {"orders": 40.0})
    sample = Sample(60, [Round(burst, burst)], [50.0], [50.0], {"orders": 1.0}, {"orders": 1.0})
    read = options(["--orders", "1", "--in-flight", "2"])

    written = main.document([sample], read)

    assert (written["orders"], written["in_flight"], written["growth"]) == (1, 2, None)
    assert [each["cpu_ratio"] for each in written["samples"]] == [1.0]
