"""Live workflows are replayed against the installed code by the `orderflow` command."""

import json
import os
import subprocess
import sys
from pathlib import Path

from orders import workflow_names as names
from system.shop import Shop, wait_for
from system.workflows import Workflows


def test_a_waiting_workflow_can_be_recorded_and_replayed(shop: Shop, tmp_path: Path) -> None:
    """Recorded and live histories replay; an unknown id is an error."""
    ports = shop.platform.settings.ports.apps["orders"]
    environment = {**os.environ, "DAPR_GRPC_PORT": str(ports.dapr_grpc)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "orderflow_cli", "workflows", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    flows = Workflows(shop)
    wait_for("the wait", lambda: any(e["type"] == "timer_created" for e in flows.history(order_id)))
    file = tmp_path / "history.json"

    recorded = run("record", order_id, str(file))
    assert recorded.returncode == 0, recorded.stderr
    content = json.loads(file.read_text())
    assert (content["instance_id"], content["workflow"]) == (order_id, names.ORDER_PROCESSING)

    of_file = run("replay", str(file))
    assert (of_file.returncode, of_file.stdout) == (
        0,
        f"{order_id} ({names.ORDER_PROCESSING}) fits\n",
    )

    live = run("replay", "--all", "--json")
    assert live.returncode == 0, live.stdout + live.stderr
    assert order_id in {item["instance_id"] for item in json.loads(live.stdout)["items"]}

    file.write_text(file.read_text().replace("request_approval_activity", "another_activity"))
    other = run("replay", str(file), "--instance", order_id)
    assert other.returncode == 3
    assert "task_scheduled another_activity" in other.stdout
    assert other.stdout.endswith(f"{order_id} ({names.ORDER_PROCESSING}) fits\n")

    unknown = run("replay", "--instance", "no-such")
    assert unknown.returncode == 1
    assert "there is no workflow no-such" in unknown.stderr

    shop.decide(order_id, approved=False)
    shop.wait_final(order_id)
