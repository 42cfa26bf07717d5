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
    """A JSON object is published as it stands, unknown fields too, and its id is printed."""
    data = {**small("a"), "note": "for ada"}
    path = tmp_path / "order.json"
    path.write_text(json.dumps(data, indent=2))

    outcome = run("publish", str(path))

    assert (outcome.lines, outcome.err, outcome.code) == (["a"], "", 0)
    assert [event["data"] for event in shop.published] == [data]


def test_an_array_is_many_orders(run: Run, shop: Shop) -> None:
    """Each item of a JSON array is an order of its own; the ids come in its order."""
    outcome = run("publish", "-", typed=json.dumps([small(f"a{n}") for n in range(40)]))

    assert outcome.lines == [f"a{n}" for n in range(40)]
    assert sorted(shop.orders) == sorted(outcome.lines)


def test_json_lines_are_many_orders(run: Run, shop: Shop) -> None:
    """Each line is an order; empty lines do not matter."""
    long_form = {"order_id": "b", "customer_id": "ada", "lines": [{"item": "cars", "quantity": 2}]}

    outcome = run("publish", "-", typed=f"{json.dumps(small('a'))}\n\n{json.dumps(long_form)}\n")

    assert outcome.lines == ["a", "b"]
    assert shop.orders["b"]["customer_id"] == "ada"


def test_an_order_without_an_id_gets_one(run: Run, shop: Shop) -> None:
    """The id that is printed is the order's."""
    outcome = run("publish", "-", typed='{"item": "cars", "quantity": 1}')

    assert outcome.lines == list(shop.orders)


def test_nothing_is_published_unless_all_orders_are_valid(run: Run, shop: Shop) -> None:
    """Every mistake is told with its line and field before anything is sent."""
    wrong = [small("a"), small("b", 0), small("c d"), {"order_id": "e", "lines": []}, 7]

    outcome = run("publish", "-", typed="\n".join(map(json.dumps, wrong)))

    assert (outcome.code, outcome.out, shop.published) == (1, "", [])
    assert "standard input: of 5 orders some are not valid, nothing was published" in outcome.err
    assert outcome.err.count("line 2, ") == outcome.err.count("line 2, quantity: ") == 1
    assert "line 3, order_id: " in outcome.err
    assert "line 4, customer_id: " in outcome.err
    assert "line 4, lines: " in outcome.err
    assert "line 5, order: " in outcome.err


def test_mistakes_in_an_array_are_told_with_their_line(run: Run, shop: Shop) -> None:
    """An array that is spread over lines is read with its lines in mind."""
    outcome = run("publish", "-", typed=json.dumps([small("a"), small("b", "two")], indent=1))

    assert "line 7, quantity: " in outcome.err
    assert shop.published == []


def test_an_id_that_stands_twice_is_a_mistake(run: Run, shop: Shop) -> None:
    """Two orders of one id would be one order, or a refusal: it is told before."""
    outcome = run("publish", "-", typed="\n".join(map(json.dumps, [small("a"), small("a")])))

    assert "line 2, order_id: a stands on line 1 already" in outcome.err
    assert (outcome.code, shop.published) == (1, [])


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "standard input holds no order"),
        ("[]", "standard input holds no order"),
        ('{"order_id": "a",\n oops}', "is no JSON at line 2, column 2"),
        ('[{"order_id": "a"}', "is no JSON at line 1"),
        ('{"order_id": NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "is "),
    ],
)
def test_what_cannot_be_read_is_told(run: Run, shop: Shop, typed: str, said: str) -> None:
    """What is no JSON, or no order at all, ends with a sentence."""
    outcome = run("publish", "-", typed=typed)

    assert (outcome.code, shop.published) == (1, [])
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_a_missing_file_is_told(run: Run, tmp_path: Path) -> None:
    """A file that cannot be read ends with its name and why."""
    outcome = run("publish", str(tmp_path / "none.json"))

    assert outcome.code == 1
    assert "none.json cannot be read: No such file or directory" in outcome.err


def test_unchecked_data_is_sent_as_it_is(run: Run, shop: Shop) -> None:
    """With --no-check anything goes, valid or not."""
    run("publish", "-", "--no-check", typed='[7]\n{"order_id": "a b"}')
    run("publish", "-", "--no-check", typed="{oops")

    sent = [event["data"] for event in shop.published]
    assert sent == ['[7]\n{"order_id": "a b"}', "{oops"]


def test_unchecked_values_are_sent_each_on_its_own(run: Run, shop: Shop) -> None:
    """With --no-check, JSON lines are still one event each."""
    outcome = run("publish", "-", "--no-check", typed='{"order_id": "a b"}\n7')

    sent = [event["data"] for event in shop.published]  # at the same time, so in any order
    assert sorted(sent, key=str) == [7, {"order_id": "a b"}]
    assert outcome.lines[0] == "a b"


def test_watching_waits_for_every_end(run: Run) -> None:
    """--watch ends when all orders have, names those that failed, and counts the rest."""
    orders = [small("a"), small("b", 101), small("c")]

    outcome = run("publish", "-", "--watch", typed=json.dumps(orders))

    assert outcome.lines[:3] == ["a", "b", "c"]
    assert outcome.lines[3] == "b rejected out_of_stock"
    assert outcome.lines[4].startswith("2 completed, 1 rejected (out_of_stock) in ")
    assert outcome.code == 3


def test_watching_ends_for_orders_that_ended_long_ago(run: Run) -> None:
    """An order that was published before makes no news, and is found in the list of orders."""
    run("publish", "-", typed=json.dumps(small("a")))

    outcome = run("publish", "-", "--watch", "--json", typed=json.dumps(small("a")))

    [ended] = json.loads(outcome.out)["orders"]
    assert (ended["order_id"], ended["status"], outcome.code) == ("a", "completed", 0)


def test_a_failure_says_how_many_are_published(run: Run, shop: Shop) -> None:
    """When the sidecar refuses, nothing pretends to be published."""
    shop.refuses_events = True

    outcome = run("publish", "-", typed=json.dumps([small("a"), small("b")]))

    assert (outcome.code, outcome.out) == (1, "")
    assert "the sidecar of orders: no broker" in outcome.err
    assert "0 of 2 orders are known to be published" in outcome.err
