"""The console and the command line against the running services."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from system.shop import Shop, new_id


def orderflow(shop: Shop, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a terminal of this platform's user."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "orderflow"), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **shop.platform.settings.client_environment(), "COLUMNS": "200"},
    )


def test_the_console_buys_eleven_cars(shop: Shop) -> None:
    """The console session buys eleven cars with approval and leaves 89."""
    done = orderflow(shop, "console", "cars", "11", "y", "exit")
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    order_id = next(
        line.split("(ID = ")[1].split(")")[0] for line in lines if "requires approval" in line
    )
    expected = [
        "==========Begin the purchase of item:==========",
        "To restock items, type 'restock'.",
        "To exit workflow console app, type 'exit'.",
        "Starting order workflow, purchasing 11 of cars",
        f"INFO:NotifyActivity:Received order {order_id} for 11 cars at $165000 !",
        f"INFO:VerifyInventoryActivity:Verifying inventory for order {order_id} of 11 cars",
        "INFO:VerifyInventoryActivity:There are 100 Cars available for purchase",
        "INFO:RequestApprovalActivity:Requesting approval for payment of 165000 USD for 11 cars",
        f"INFO:NotifyActivity:Payment for order {order_id} has been approved!",
        f"INFO:ProcessPaymentActivity:Processing payment: {order_id} for 11 cars at 165000 USD",
        f"INFO:ProcessPaymentActivity:Payment for request ID {order_id} processed successfully",
        f"INFO:UpdateInventoryActivity:Checking inventory for order {order_id} for 11 cars",
        "INFO:UpdateInventoryActivity:There are now 89 cars left in stock",
        f"INFO:NotifyActivity:Order {order_id} has completed!",
        "Workflow completed! Result: COMPLETED",
        "Purchase of item is COMPLETED",
    ]
    assert [line for line in lines if line in expected] == expected
    assert f"(ID = {order_id}) requires approval. Approve? [Y/N]" in done.stdout
    assert shop.stock("cars")["on_hand"] == 89


def test_the_console_reports_mistakes_and_continues(shop: Shop) -> None:
    """It reports unknown items, invalid quantities and denials, then prompts again."""
    typed = "unicorns\ncars\nmany\ncars\n1000\ncars\n5\nn\nrestock\npaperclip\n2\nexit\n"
    done = orderflow(shop, "console", stdin=typed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Workflow completed! Result: COMPLETED") == 1, done.stdout
    assert shop.stock("cars")["available"] == 100
    assert "Traceback" not in done.stdout + done.stderr


def test_orders_are_published_from_a_file_and_watched(shop: Shop, tmp_path: Path) -> None:
    """JSON lines become orders; the command waits for them and prints each outcome."""
    ids = [new_id("file") for _ in range(5)]
    file = tmp_path / "orders.jsonl"
    file.write_text("\n".join(json.dumps(shop.order_data(i)) for i in ids))
    done = orderflow(shop, "publish", str(file), "--watch")
    assert done.returncode == 0, done.stderr
    for order_id in ids:
        assert shop.wait_final(order_id)["status"] == "completed"
    shown = orderflow(shop, "order", ids[0], "--json")
    assert json.loads(shown.stdout)["status"] == "completed"


def test_a_large_order_is_approved_from_the_command_line(shop: Shop) -> None:
    """The command lists the request and approves it by its id."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    assert order_id in orderflow(shop, "approvals", "--status", "pending").stdout
    done = orderflow(shop, "approve", order_id, "--comment", "go on")
    assert done.returncode == 0, done.stderr
    watched = orderflow(shop, "order", order_id, "--watch")
    assert watched.returncode == 0, watched.stdout
    assert "completed" in watched.stdout
    refused = orderflow(shop, "deny", order_id)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", [["orders"], ["stock"], ["dead-letters"], ["approvals"]])
def test_lists_print_a_table_or_json(shop: Shop, command: list[str]) -> None:
    """Each list prints a table, or JSON and nothing else."""
    assert orderflow(shop, *command).returncode == 0
    json.loads(orderflow(shop, *command, "--json").stdout)
