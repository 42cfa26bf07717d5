"""Commands about batches: publishing, showing and watching."""

import json

import pytest

from fakes.command import Run
from fakes.shop import Shop
from orderflow_cli import batch_commands

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll without delay."""
    monkeypatch.setattr(batch_commands, "POLL_SECONDS", 0.001)


def small(order_id: str, quantity: object = 1) -> dict[str, object]:
    return {"order_id": order_id, "item": "paperclip", "quantity": quantity}


def test_a_file_is_published_as_one_batch(run: Run, shop: Shop) -> None:
    """The batch ID is printed; an order without an ID gets a reproducible one."""
    typed = json.dumps([small("a"), {"item": "cars", "quantity": 1}])

    outcome = run("publish", "-", "--batch", "b1", typed=typed)

    assert (outcome.lines, outcome.code) == (["b1"], 0)
    assert [entry["order_id"] for entry in shop.batches["b1"]] == ["a", "b1-2"]


def test_a_batch_is_checked_first(run: Run, shop: Shop) -> None:
    """Nothing is published if an order is invalid, there are too many, or the ID is invalid."""
    wrong = run("publish", "-", "--batch", "b1", typed=json.dumps([small("a", 0)]))
    many = run(
        "publish", "-", "--batch", "b1", typed=json.dumps([small(f"a{n}") for n in range(501)])
    )
    unnamed = run("publish", "-", "--batch", "b 1", typed=json.dumps([small("a")]))

    assert [outcome.code for outcome in (wrong, many, unnamed)] == [1, 1, 1]
    assert "quantity" in wrong.err
    assert "at most 500 orders" in many.err
    assert "is not a valid batch ID" in unnamed.err
    assert not shop.batches


def test_a_batch_is_shown(run: Run) -> None:
    """Status, counts, total and orders are shown, each with its detail, and also as JSON."""
    run("publish", "-", "--batch", "b1", typed=json.dumps([small("a"), small("b", 101)]))

    shown = run("batch", "b1")
    document = json.loads(run("batch", "b1", "--json").out)

    assert "Batch b1" in shown.out
    assert "2: 1 completed, 1 rejected" in shown.out
    assert "out_of_stock" in shown.out
    assert "More units were ordered" in shown.out
    assert (document["total_cents"], shown.code) == (500, 0)
    assert [order["order_id"] for order in document["orders"]] == ["a", "b"]
    assert [order.get("number") for order in document["orders"]] == [1, 2]


def test_watching_waits_for_the_end(run: Run, shop: Shop) -> None:
    """The exit code is 0 if all orders completed, and 3 otherwise."""
    shop.batch_reads_until_end = 3
    good = run("publish", "-", "--batch", "b1", "--watch", typed=json.dumps([small("a")]))
    run("publish", "-", "--batch", "b2", typed=json.dumps([small("b", 101)]))
    shop.batch_reads_until_end = 2
    bad = run("batch", "b2", "--watch", "--json")

    assert good.code == 0
    assert "1 completed" in good.out
    assert bad.code == 3
    assert json.loads(bad.out)["counts"] == {"rejected": 1}


def test_an_unknown_batch(run: Run) -> None:
    """The error says so in one sentence."""
    outcome = run("batch", "b9")

    assert outcome.code == 1
    assert "there is no batch b9" in outcome.err
