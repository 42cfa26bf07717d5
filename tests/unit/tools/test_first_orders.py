"""Whether the first orders of a run went through, by which `--until-first-orders` ends."""

from pathlib import Path

import pytest

from orderflow_contracts.orders import OrderStatus
from orderflow_tools.commands import command_line
from orderflow_tools.commands import run as run_command
from orderflow_tools.first_orders import FirstOrders
from orderflow_tools.main import main

COMPLETED, WAITING = OrderStatus.COMPLETED, OrderStatus.AWAITING_APPROVAL


@pytest.mark.parametrize("large", [WAITING, COMPLETED])
def test_orders_that_rest_where_they_should_went_through(large: OrderStatus) -> None:
    """A large order waits for a person, or needs none where the threshold is higher."""
    assert FirstOrders("large", (COMPLETED, large)).went_through


@pytest.mark.parametrize("status", [None, *(set(OrderStatus) - {COMPLETED, WAITING})])
def test_orders_that_ended_otherwise_did_not_go_through(status: OrderStatus | None) -> None:
    """One that was rejected, failed or is nowhere is no sign that all is well."""
    assert not FirstOrders("large", (status, WAITING)).went_through
    assert not FirstOrders("large", (COMPLETED, status)).went_through


def test_first_orders_that_are_not_published_cannot_be_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The two options contradict each other."""
    with pytest.raises(SystemExit) as ending:
        main(["run", "--no-orders", "--until-first-orders"])

    assert ending.value.code == 2
    assert "--no-orders" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--until-first-orders"], 130)])
def test_an_interrupted_run_has_gone_well_only_without_an_aim(
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Ctrl-C is how a run ends, but not how one ends that is to see the first orders through."""

    def interrupted(*_: object) -> int:
        raise command_line.Stopped

    monkeypatch.setenv("ORDERFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(run_command, "_run", interrupted)
    monkeypatch.setattr(command_line, "raise_on_signals", lambda: None)

    assert main(["run", *arguments]) == code
