"""Whether the first orders of a run succeeded, which ends `--until-first-orders`."""

from pathlib import Path

import pytest

from orderflow_contracts.orders import OrderStatus
from orderflow_tools.commands import command_line
from orderflow_tools.commands import run as run_command
from orderflow_tools.first_orders import FirstOrders
from orderflow_tools.main import main

COMPLETED, WAITING = OrderStatus.COMPLETED, OrderStatus.AWAITING_APPROVAL
OTHERS = [status for status in OrderStatus if status not in {COMPLETED, WAITING}]


@pytest.mark.parametrize("large", [WAITING, COMPLETED])
def test_orders_that_completed_or_await_approval_succeeded(large: OrderStatus) -> None:
    """A large order waits for approval, or needs none if the threshold is higher."""
    assert FirstOrders("large", (COMPLETED, large)).succeeded


@pytest.mark.parametrize("status", [None, *OTHERS])
def test_orders_with_another_status_did_not_succeed(status: OrderStatus | None) -> None:
    """An order that was rejected, failed or is missing is not a success."""
    assert not FirstOrders("large", (status, WAITING)).succeeded
    assert not FirstOrders("large", (COMPLETED, status)).succeeded


def test_no_orders_and_until_first_orders_exclude_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The two options contradict each other."""
    with pytest.raises(SystemExit) as ending:
        main(["run", "--no-orders", "--until-first-orders"])

    assert ending.value.code == 2
    assert "--no-orders" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--until-first-orders"], 130)])
def test_an_interrupted_run_succeeds_unless_it_awaits_first_orders(
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Ctrl-C is the normal end of a run, but not of one that should await its first orders."""

    def interrupted(*_: object) -> int:
        raise command_line.Stopped

    monkeypatch.setenv("ORDERFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(run_command, "_run", interrupted)
    monkeypatch.setattr(command_line, "raise_on_signals", lambda: None)

    assert main(["run", *arguments]) == code
