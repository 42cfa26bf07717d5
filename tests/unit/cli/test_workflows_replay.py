"""`orderflow workflows replay` and `record` without running services."""

import json
from pathlib import Path

import pytest

from fakes.command import Run
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import sidecar_grpc
from orderflow_cli.workflows import replay_commands

HISTORIES = Path(__file__).parents[2] / "histories"
COMPLETED = HISTORIES / "order_processing_workflow.completed.json"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Write the history of an order with a step that no longer exists."""
    path = tmp_path / "changed.json"
    path.write_text(COMPLETED.read_text().replace('"update_inventory_activity"', '"removed_step"'))
    return path


def test_histories_that_fit(run: Run) -> None:
    """Each history has a line, and the exit code is 0."""
    outcome = run("workflows", "replay", *map(str, HISTORIES.glob("*.json")))

    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert len(lines) == len(list(HISTORIES.glob("*.json")))
    assert all(line.endswith(" fits") for line in lines)


def test_one_history_that_does_not_fit(run: Run, changed: Path) -> None:
    """The exit code is 3, the difference is shown, and the other histories are replayed too."""
    outcome = run("workflows", "replay", str(changed), str(COMPLETED))

    first, second = outcome.out.splitlines()
    assert outcome.code == 3
    assert "DOES NOT FIT: event 12 (id 4) at " in first
    assert "task_scheduled removed_step: the code calls the activity update_inventory" in first
    assert second.endswith(" fits")


def test_a_replay_as_json(run: Run, changed: Path) -> None:
    """JSON output has the same content and exit code."""
    outcome = run("workflows", "replay", "--json", "-", typed=changed.read_text())

    document = json.loads(outcome.out)
    assert (outcome.code, document["misfits"]) == (3, 1)
    (item,) = document["items"]
    assert item["workflow"] == "order_processing_workflow"
    assert (item["fits"], item["misfit"]["number"]) == (False, 12)
    assert item["misfit"]["name"] == "removed_step"


def test_unreadable_histories(run: Run, tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "other.json").write_text("{}")

    for name in ("none.json", "other.json"):
        outcome = run("workflows", "replay", str(tmp_path / name))
        assert outcome.code == 1
        assert name in outcome.err


def test_no_sidecar(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the sidecar's address, and no file is written."""
    monkeypatch.setenv("DAPR_GRPC_PORT", "1")

    for arguments in (("replay", "--all"), ("record", "x", str(tmp_path / "file"))):
        outcome = run("workflows", *arguments)
        assert outcome.code == 1
        assert "127.0.0.1:1 " in outcome.err
    assert not (tmp_path / "file").exists()


def test_without_the_workflow_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that the package of orders is missing."""
    monkeypatch.setattr(replay_commands, "entry_points", lambda **_: ())

    outcome = run("workflows", "replay", str(COMPLETED))

    assert outcome.code == 1
    assert "the workflow code is not installed" in outcome.err


def test_nothing_to_replay(run: Run) -> None:
    """Missing arguments are wrong usage."""
    assert run("workflows", "replay").code == 2


def test_the_address_of_the_sidecar() -> None:
    """The service's own variable takes precedence over those that move a whole run."""
    assert sidecar_grpc({}) == "127.0.0.1:50101"
    assert sidecar_grpc({"ORDERFLOW_PORT_OFFSET": "100"}) == "127.0.0.1:50201"
    assert sidecar_grpc({"ORDERS_DAPR_GRPC_PORT": "7"}) == "127.0.0.1:7"
    both = {"ORDERS_DAPR_GRPC_PORT": "7", "DAPR_GRPC_PORT": "8", "DAPR_RUNTIME_HOST": "::1"}
    assert sidecar_grpc(both) == "[::1]:8"
    with pytest.raises(OrderflowError, match="DAPR_GRPC_PORT"):
        sidecar_grpc({"DAPR_GRPC_PORT": "99999"})
