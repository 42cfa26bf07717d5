"""Publishing from files and from standard input."""

import json
from pathlib import Path

import pytest

from fakes.command import Run
from fakes.shop import Shop

pytestmark = pytest.mark.usefixtures("settings")


def small(order_id: str, quantity: object = 1) -> dict[str, object]:
    return {"order_id": order_id, "item": "paperclip", "quantity": quantity}


def test_one_object_is_one_order(run: Run, shop: Shop, tmp_path: Path) -> None:
    """A JSON object is published unchanged, with unknown fields, and its ID is printed."""
    data = {**small("a"), "note": "for ada"}
    path = tmp_path / "order.json"
    path.write_text(json.dumps(data, indent=2))

    outcome = run("publish", str(path))

    assert (outcome.lines, outcome.err, outcome.code) == (["a"], "", 0)
    assert [event["data"] for event in shop.published] == [data]


def test_an_array_is_many_orders(run: Run, shop: Shop) -> None:
    """Each item of a JSON array is one order; the IDs are printed in the same sequence."""
    outcome = run("publish", "-", typed=json.dumps([small(f"a{n}") for n in range(40)]))

    assert outcome.lines == [f"a{n}" for n in range(40)]
    assert sorted(shop.orders) == sorted(outcome.lines)


def test_json_lines_are_many_orders(run: Run, shop: Shop) -> None:
    """Each line is an order; empty lines are ignored."""
    long_form = {"order_id": "b", "customer_id": "ada", "lines": [{"item": "cars", "quantity": 2}]}

    outcome = run("publish", "-", typed=f"{json.dumps(small('a'))}\n\n{json.dumps(long_form)}\n")

    assert outcome.lines == ["a", "b"]
    assert shop.orders["b"]["customer_id"] == "ada"


def test_an_order_without_an_id_gets_one(run: Run, shop: Shop) -> None:
    """The printed ID is the order's."""
    outcome = run("publish", "-", typed='{"item": "cars", "quantity": 1}')

    assert outcome.lines == list(shop.orders)


def test_nothing_is_published_unless_all_orders_are_valid(run: Run, shop: Shop) -> None:
    """Every fault is reported with its line and field before anything is sent."""
    wrong = [small("a"), small("b", 0), small("c d"), {"order_id": "e", "lines": []}, 7]

    outcome = run("publish", "-", typed="\n".join(map(json.dumps, wrong)))

    assert (outcome.code, outcome.out, shop.published) == (1, "", [])
    assert (
        "standard input: some of the 5 orders are not valid, so nothing was published"
        in outcome.err
    )
    assert outcome.err.count("line 2, ") == outcome.err.count("line 2, quantity: ") == 1
    assert "line 3, order_id: " in outcome.err
    assert "line 4, customer_id: " in outcome.err
    assert "line 4, lines: " in outcome.err
    assert "line 5, order: " in outcome.err


def test_faults_in_an_array_are_reported_with_their_line(run: Run, shop: Shop) -> None:
    """Line numbers are correct in an array that spans several lines."""
    outcome = run("publish", "-", typed=json.dumps([small("a"), small("b", "two")], indent=1))

    assert "line 7, quantity: " in outcome.err
    assert shop.published == []


def test_a_duplicate_id_is_a_fault(run: Run, shop: Shop) -> None:
    """Two orders with one ID would conflict, so the duplicate is reported first."""
    outcome = run("publish", "-", typed="\n".join(map(json.dumps, [small("a"), small("a")])))

    assert "line 2, order_id: a is already used on line 1" in outcome.err
    assert (outcome.code, shop.published) == (1, [])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "standard input contains no orders"),
        ("[]", "standard input contains no orders"),
        ('{"order_id": "a",\n oops}', "is not valid JSON at line 2, column 2"),
        ('[{"order_id": "a"}', "is not valid JSON at line 1"),
        ('{"order_id": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "is "),
    ],
)
def test_unreadable_input_is_reported(run: Run, shop: Shop, typed: str, message: str) -> None:
    """Invalid JSON, or input without orders, ends with a sentence."""
    outcome = run("publish", "-", typed=typed)

    assert (outcome.code, shop.published) == (1, [])
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_file_is_reported(run: Run, tmp_path: Path) -> None:
    """The error names the file and the reason."""
    outcome = run("publish", str(tmp_path / "none.json"))

    assert outcome.code == 1
    assert "none.json cannot be read: No such file or directory" in outcome.err


def test_unchecked_data_is_sent_as_it_is(run: Run, shop: Shop) -> None:
    """--no-check publishes anything, valid or not."""
    run("publish", "-", "--no-check", typed='[7]\n{"order_id": "a b"}')
    run("publish", "-", "--no-check", typed="{oops")

    sent = [event["data"] for event in shop.published]
    assert sent == ['[7]\n{"order_id": "a b"}', "{oops"]


def test_unchecked_values_are_sent_separately(run: Run, shop: Shop) -> None:
    """With --no-check, JSON lines are still one event each."""
    outcome = run("publish", "-", "--no-check", typed='{"order_id": "a b"}\n7')

    sent = [event["data"] for event in shop.published]  # published concurrently, so in any order
    assert sorted(sent, key=str) == [7, {"order_id": "a b"}]
    assert outcome.lines[0] == "a b"


def test_watching_waits_for_all_orders(run: Run) -> None:
    """--watch waits until all orders have ended, names those that failed, and counts all."""
    orders = [small("a"), small("b", 101), small("c")]

    outcome = run("publish", "-", "--watch", typed=json.dumps(orders))

    assert outcome.lines[:3] == ["a", "b", "c"]
    assert outcome.lines[3] == "b rejected out_of_stock"
    assert outcome.lines[4].startswith("2 completed, 1 rejected (out_of_stock) in ")
    assert outcome.code == 3


def test_watching_ends_for_orders_that_ended_long_ago(run: Run) -> None:
    """An order that ended earlier is not in the feed, and is read from orders."""
    run("publish", "-", typed=json.dumps(small("a")))

    outcome = run("publish", "-", "--watch", "--json", typed=json.dumps(small("a")))

    [ended] = json.loads(outcome.out)["orders"]
    assert (ended["order_id"], ended["status"], outcome.code) == ("a", "completed", 0)


def test_a_failure_says_how_many_are_published(run: Run, shop: Shop) -> None:
    """When the sidecar rejects events, none is reported as published."""
    shop.refuses_events = True

    outcome = run("publish", "-", typed=json.dumps([small("a"), small("b")]))

    assert (outcome.code, outcome.out) == (1, "")
    assert "the sidecar of orders: no broker" in outcome.err
    assert "0 of 2 orders are known to be published" in outcome.err
