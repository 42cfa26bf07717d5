"""Commands for approvals and stock."""

import json
import re
from datetime import UTC, datetime

import pytest

from fakes.command import Run
from fakes.shop import Shop

pytestmark = pytest.mark.usefixtures("settings")


def order_cars(shop: Shop) -> None:
    shop.submit({"id": "a", "data": {"order_id": "a", "item": "cars", "quantity": 11}})


def test_approvals_are_listed(run: Run, shop: Shop) -> None:
    """The list shows what is pending and its amount."""
    order_cars(shop)

    outcome = run("approvals", "--status", "pending")

    assert re.search(r"a +pending +anonymous +11 cars +\$165,000\.00", outcome.out)
    assert json.loads(run("approvals", "--json").out)[0]["status"] == "pending"


@pytest.mark.parametrize(("command", "approved"), [("approve", True), ("deny", False)])
def test_a_decision_is_sent(run: Run, shop: Shop, command: str, *, approved: bool) -> None:
    """The decision contains the approver and the comment."""
    order_cars(shop)

    outcome = run(command, "a", "--comment", "so be it", "--approver", "ada")

    assert shop.decisions == [{"approved": approved, "approver": "ada", "comment": "so be it"}]
    assert outcome.code == 0


def test_two_level_approvals_show_their_progress(run: Run, shop: Shop) -> None:
    """With two approvals needed, the list shows the progress, and the command the missing one."""
    shop.levels = 2
    order_cars(shop)
    assert re.search(r"a +pending .* 0/2", run("approvals").out)

    first = run("approve", "a", "--approver", "ada")
    listed = run("approvals").out
    second = run("approve", "a", "--approver", "bob")

    assert first.lines == ["Order a approved by ada; one more approver is needed."]
    assert re.search(r"a +pending .* 1/2 ada", listed)
    assert second.lines == ["Order a approved by bob."]
    assert re.search(r"a +approved .* 2/2 ada, bob", run("approvals").out)


def test_a_decision_without_a_request_is_reported(run: Run) -> None:
    """The command does not wait for a request that may never arrive."""
    outcome = run("approve", "a")

    assert outcome.err == "orderflow: approvals: nobody asked about order a (APPROVAL_NOT_FOUND)\n"
    assert outcome.code == 1


def test_an_empty_approver_is_rejected(run: Run) -> None:
    """An invalid decision is rejected before it is sent."""
    outcome = run("approve", "a", "--approver", "")

    assert (outcome.code, outcome.err[:22]) == (1, "orderflow: --approver:")


def test_what_waits_to_be_published_is_shown(run: Run, shop: Shop) -> None:
    """As a table, or as JSON, of each service that promises messages."""
    shop.outbox["orders"] = [datetime(2026, 3, 1, 12, second, tzinfo=UTC) for second in range(3)]

    shown = run("outbox").out
    assert re.search(r"orders +3 +2026-03-01", shown)
    assert re.search(r"approvals +0 +-", shown)
    found = json.loads(run("outbox", "--json").out)
    assert [(each["service"], each["messages"]) for each in found] == [
        *(("orders", 3), ("approvals", 0))
    ]
    assert found[0]["age_seconds"] > 0


def test_stock_is_shown(run: Run) -> None:
    """Prices are in dollars."""
    assert re.search(r"cars +100 +0 +100 +\$15,000\.00", run("stock").out)
    assert len(json.loads(run("stock", "--json").out)["items"]) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((), (100, 100)), (("cars",), (100, 7)), (("cars", "5"), (12, 7))],
)
def test_restock_takes_an_item_and_a_quantity(
    run: Run, shop: Shop, arguments: tuple[str, ...], expected: tuple[int, int]
) -> None:
    """It resets all items or one item, or adds a quantity to one."""
    shop.stock |= {"cars": 7, "computers": 7}

    outcome = run("restock", *arguments)

    assert (shop.stock["cars"], shop.stock["computers"]) == expected
    assert outcome.code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("restock", "cars", "2,50"),
        ("restock", "cars", "1_000"),
        ("restock", "cars", "٣"),
        ("restock", "cars", "0"),
        ("restock", "cars", "1000001"),
        ("orders", "--limit", "1_0"),
        ("workflows", "wait", "iwf-1", "--timeout", "+5"),
    ],
)
def test_an_ambiguous_number_is_rejected(run: Run, shop: Shop, arguments: tuple[str, ...]) -> None:
    """The error says what to type, and no request is sent."""
    outcome = run(*arguments)

    assert outcome.code == 2
    assert "must be" in outcome.err
    assert shop.credentials == []


def test_an_error_through_the_sidecar_is_shown_without_its_wrapping(run: Run) -> None:
    """The sidecar's gRPC prefix is removed."""
    outcome = run("restock", "boats")

    assert (
        outcome.err
        == "orderflow: the sidecar of orders: there is no item boats (ERR_DIRECT_INVOKE)\n"
    )
