"""Commands about existing orders."""

import json
import re

import pytest

from fakes.command import Run
from fakes.shop import Shop
from orderflow_cli.settings import Settings

pytestmark = pytest.mark.usefixtures("settings")


def submit(shop: Shop, order_id: str, item: str = "paperclip", quantity: int = 1) -> None:
    shop.submit(
        {"id": order_id, "data": {"order_id": order_id, "item": item, "quantity": quantity}}
    )


def test_an_order_shows_its_history_with_the_time_of_each_step(run: Run, shop: Shop) -> None:
    """Money is in dollars, and each step shows the time since the previous one."""
    submit(shop, "a", "cars", 2)

    outcome = run("order", "a")

    assert "$30,000.00" in outcome.out
    steps = re.findall(r"(received|reserved|paid|completed) .* (-|1\.0 s)\n", outcome.out)
    assert steps == [
        ("received", "-"),
        ("reserved", "1.0 s"),
        ("paid", "1.0 s"),
        ("completed", "1.0 s"),
    ]


def test_an_order_as_json_is_the_document_of_orders(run: Run, shop: Shop) -> None:
    """--json prints one document and nothing else."""
    submit(shop, "a")

    document = json.loads(run("order", "a", "--json").out)

    assert (document["order_id"], document["status"]) == ("a", "completed")
    assert len(document["history"]) == 4


def test_watching_a_completed_order_ends_with_success(run: Run, shop: Shop) -> None:
    """Earlier changes are printed first."""
    submit(shop, "a")

    outcome = run("order", "a", "--watch")

    assert [line.split()[2] for line in outcome.lines[:4]] == [
        "received",
        "reserved",
        "paid",
        "completed",
    ]
    assert outcome.code == 0


def test_watching_an_order_that_does_not_complete_has_its_own_exit_code(
    run: Run, shop: Shop
) -> None:
    """Exit code 3 means that the order has ended without completing."""
    submit(shop, "a", "cars", 101)

    outcome = run("order", "a", "--watch", "--json")

    assert (json.loads(outcome.out)["status"], outcome.code) == ("rejected", 3)


def test_an_unknown_order_is_reported(run: Run) -> None:
    """The service's error is printed, with exit code 1."""
    outcome = run("order", "nobody", "--watch")

    assert (outcome.err, outcome.code) == (
        "orderflow: orders: there is no order nobody (ORDER_NOT_FOUND)\n",
        1,
    )


@pytest.mark.parametrize("order_id", ["../stock", "a b", "", "x" * 65])
def test_an_invalid_id_is_rejected_without_a_request(run: Run, order_id: str) -> None:
    """An ID never leads to another path of the service."""
    outcome = run("order", order_id)

    assert outcome.code == 1
    assert "is not a valid order ID" in outcome.err


def test_orders_are_listed(run: Run, shop: Shop) -> None:
    """The list shows each order's status and lines."""
    submit(shop, "a")
    submit(shop, "b", "cars", 101)

    outcome = run("orders")

    assert re.search(r"a +completed +- +1 paperclip +\$5\.00", outcome.out)
    assert re.search(r"b +rejected +out_of_stock +101 cars", outcome.out)
    assert [order["order_id"] for order in json.loads(run("orders", "--json").out)] == ["a", "b"]


def test_an_order_is_cancelled(run: Run, shop: Shop) -> None:
    """The cancellation is requested, and the output says how to follow it."""
    submit(shop, "a", "cars", 11)

    outcome = run("cancel", "a")

    assert shop.orders["a"]["status"] == "cancelled"
    assert "`orderflow order a --watch`" in outcome.out


def needing_attention(shop: Shop) -> None:
    submit(shop, "a", "cars", 11)
    shop.move("a", "needs_attention", "undo_failed")


def test_an_order_that_needs_attention_is_retried(run: Run, shop: Shop) -> None:
    """With --watch the command waits for the result."""
    needing_attention(shop)

    outcome = run("retry", "a", "--watch")

    assert shop.retried == ["a"]
    assert (outcome.code, outcome.out) == (0, "Order a: rollback complete.\n")


def test_a_failed_retry_names_the_missing_compensations(run: Run, shop: Shop) -> None:
    """The exit code is 3."""
    needing_attention(shop)
    shop.retry_leaves = ("refund_payment_activity",)

    outcome = run("retry", "a", "--watch")

    assert outcome.code == 3
    assert "not rolled back: refund_payment_activity" in outcome.out


def test_an_order_that_needs_no_attention_is_not_retried(run: Run, shop: Shop) -> None:
    """The service's rejection is reported."""
    submit(shop, "a")

    outcome = run("retry", "a")

    assert outcome.code == 1
    assert "needs no attention" in outcome.err


@pytest.mark.parametrize(
    "arguments", [["orders", "--status", "lost"], ["publish"], ["nonsense"], ["order"]]
)
def test_wrong_usage_has_its_own_exit_code(run: Run, arguments: list[str]) -> None:
    """Exit code 2 means that the command was not understood."""
    assert run(*arguments).code == 2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["stock"], "inventory"),
        (["console"], "inventory"),
        (["orders"], "orders"),
        (["order", "a"], "orders"),
        (["approvals"], "approvals"),
        (["approve", "a"], "approvals"),
        (["restock"], "the sidecar of orders"),
        (["dead-letters"], "orders"),
    ],
)
def test_an_unreachable_service_is_named_with_the_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], name: str
) -> None:
    """The error names the service, its address, and what to do."""
    for variable in ("ORDERS", "INVENTORY", "APPROVALS", "SIDECAR"):
        monkeypatch.setenv(f"ORDERFLOW_{variable}_URL", "http://127.0.0.1:1")

    outcome = run(*arguments)

    assert outcome.code == 1
    assert outcome.err == (
        f"orderflow: {name} does not answer at http://127.0.0.1:1 - is it running? "
        "Start it with `make run`, or check it with `make status`\n"
    )


def test_another_program_on_the_port_is_recognized(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that the answer is not from Orderflow."""
    monkeypatch.setenv("ORDERFLOW_INVENTORY_URL", f"{settings.inventory_url}/elsewhere")

    outcome = run("stock")

    assert outcome.code == 1
    assert "is another program or version listening there" in outcome.err
