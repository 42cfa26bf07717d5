"""What the bench measures and how it is asked, without a platform."""

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
    """A workflow context that notes the activities that are called."""

    instance_id = "bare-1"

    def __init__(self) -> None:
        self.called: list[tuple[str, object]] = []

    def call_activity(self, name: str, *, input: object) -> str:  # noqa: A002 # the SDK's name
        self.called.append((name, input))
        return name


def test_a_bare_workflow_has_five_activities() -> None:
    """It does as many steps as a small order, one after the other."""
    context = RecordedContext()
    workflow = bare_worker.bare_workflow(context, None)  # type: ignore[arg-type]

    yielded = list(workflow)

    assert yielded == ["nothing"] * 5
    assert context.called[-1] == ("nothing", {"id": "bare-1", "step": 5})


def test_the_meter_reads_a_living_process() -> None:
    """CPU time only grows, and memory is there."""
    first = meter.read(["me"], lambda _: os.getpid())
    sum(number * number for number in range(200_000))
    second = meter.read(["me"], lambda _: os.getpid())

    assert second.cpu_since(first, ["me"])["me"] >= 0.0
    assert second.memory_mb["me"] > 1.0


def test_the_meter_says_which_process_is_missing() -> None:
    """A process that does not run cannot be measured."""
    with pytest.raises(PlatformError, match="scheduler does not run"):
        meter.read(["scheduler"], lambda _: None)


def test_a_process_that_died_meanwhile_spoils_the_figure() -> None:
    """The CPU time of a new process says nothing about the old one's."""
    first = meter.Reading({"orders": 1}, {"orders": 10.0}, {"orders": 1.0})
    second = meter.Reading({"orders": 2}, {"orders": 1.0}, {"orders": 1.0})

    with pytest.raises(PlatformError, match="orders died"):
        second.cpu_since(first, ["orders"])


def test_the_options_have_the_documented_defaults() -> None:
    """Without arguments: 300 orders, 20 in flight, three rounds, no filling up."""
    read = options([])

    assert (read.orders, read.in_flight, read.rounds, read.done) == (300, 20, 3, 0)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_counts_must_be_positive(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No orders cannot be measured, and the message says which option is wrong."""
    with pytest.raises(SystemExit):
        options(["--orders", value])

    assert "--orders" in capsys.readouterr().err


def test_the_document_tells_how_it_was_measured() -> None:
    """Figures are of use with the load that they were taken under."""
    burst = Burst(1, 1.0, [50.0], {"orders": 40.0})
    sample = Sample(60, [Round(burst, burst)], [50.0], [50.0], {"orders": 1.0}, {"orders": 1.0})
    read = options(["--orders", "1", "--in-flight", "2"])

    told = main.document([sample], read)

    assert (told["orders"], told["in_flight"], told["growth"]) == (1, 2, None)
    assert [each["cpu_ratio"] for each in told["samples"]] == [1.0]
