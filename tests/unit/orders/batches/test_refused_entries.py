"""Entries of batches that are refused: each is found with its reason and an explanation."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.events import TopicsInMemory
from fakes.odd_json import FEW, VALUES, odd
from fakes.orders_ports import Promised
from fakes.outboxes import fail_once
from orderflow_contracts.batches import MOST_NAMED_REFUSALS, Batch, BatchedOrder
from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.orders import OrderSubmitted
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.events import MOST_BYTES
from orderflow_workflow_runtime.ports import EngineUnavailable
from orders.batches.store import BatchStore
from orders.ordering.store import OrderStore

TOPIC: Final = "orders.batch-submitted"
GOOD: Final[dict[str, Any]] = {"order_id": "a", "item": "cars", "quantity": 1}
NAMED: Final = st.builds(
    lambda order_id, quantity: {**GOOD, "order_id": order_id, "quantity": quantity},
    st.sampled_from(["a", "b", "known", "taken", "stream", "no id", None]),
    st.sampled_from([1, 2, 0, "1"]),
)
ENTRIES: Final = st.lists(NAMED | odd(GOOD) | VALUES, min_size=1, max_size=8)


@pytest.fixture
async def topics(topics: TopicsInMemory, store: OrderStore) -> TopicsInMemory:
    """Return topics whose orders know one order and one workflow of another kind."""
    await store.accept(OrderSubmitted.model_validate({**GOOD, "order_id": "known"}))
    await store.record_start("taken")
    return topics


@pytest.fixture
def batch_ids() -> Iterator[str]:
    return (f"batch-{number}" for number in itertools.count(1))


async def read(batch_store: BatchStore, batch_id: str) -> Batch:
    found = await batch_store.batch(batch_id)
    assert found is not None
    return found


async def details(batch_store: BatchStore, batch_id: str = "b1") -> list[tuple[Any, ...]]:
    return [
        (order.number, order.order_id, order.reason, order.detail)
        for order in (await read(batch_store, batch_id)).orders
    ]


@FEW
@given(entries=ENTRIES)
async def test_every_entry_is_found_once_as_an_order_or_with_an_explanation(
    topics: TopicsInMemory,
    batch_store: BatchStore,
    store: OrderStore,
    batch_ids: Iterator[str],
    entries: list[Any],
) -> None:
    """A repeated order is the one that it repeats. A batch that cannot be read is a dead letter."""
    batch_id = next(batch_ids)

    answer = await topics.deliver(TOPIC, {"batch_id": batch_id, "orders": entries}, batch_id)

    assert answer in (Answer.ACKNOWLEDGE, Answer.DEAD_LETTER)
    if answer is Answer.DEAD_LETTER:
        (letter,) = [each for each in await topics.dead() if each.event_id == batch_id]
        assert letter.reason.startswith("invalid: ")
        return
    found = (await read(batch_store, batch_id)).orders
    by_number = {order.number: order for order in found}
    assert len(by_number) == len(found)
    placed = {order.order_id for order in found if not is_refused(order)}
    for number, entry in enumerate(entries, 1):
        order_id = readable_order_id(with_id(entry, f"{batch_id}-{number}"))
        order = by_number.pop(number, None)
        if order is not None and is_refused(order):
            assert order.order_id == order_id
            assert order.reason
            assert order.detail
        else:
            assert order_id in placed
            stored = await store.order(order_id or "")
            assert stored is not None
            sent = OrderSubmitted.model_validate(with_id(entry, f"{batch_id}-{number}"))
            assert sent.same_content_as(stored)
    assert not by_number


def is_refused(order: BatchedOrder) -> bool:
    return order.reason in ("invalid", "id_taken", "other_content")


def with_id(entry: Any, order_id: str) -> Any:
    if isinstance(entry, dict) and entry.get("order_id") is None:
        return {**entry, "order_id": order_id}
    return entry


async def test_each_kind_of_refusal_is_explained(
    topics: TopicsInMemory, batch_store: BatchStore
) -> None:
    """The explanation names the field, what was sent and what is expected, or the other owner."""
    orders = [
        GOOD,
        {**GOOD, "order_id": "b", "quantity": 0},
        7,
        {**GOOD, "order_id": "no id"},
        {**GOOD, "quantity": 2},
        {**GOOD, "order_id": "known", "quantity": 2},
        {**GOOD, "order_id": "taken"},
        {**GOOD, "order_id": "known", "item": ""},
    ]

    await topics.deliver(TOPIC, {"batch_id": "b1", "orders": orders})

    other = "has the same ID, and other content. Submit this order with an ID of its own."
    assert await details(batch_store) == [
        (1, "a", None, None),
        (
            *(2, "b", "invalid"),
            "lines.0.quantity is 0: Input should be greater than or equal to 1.",
        ),
        (3, None, "invalid", "body is 7: must be an object."),
        (
            *(4, None, "invalid"),
            "order_id is \"no id\": String should match pattern '^[A-Za-z0-9_-]{1,64}$'.",
        ),
        (5, "a", "other_content", f"Entry 1 of this batch {other}"),
        (6, "known", "other_content", f"An order {other}"),
        (
            *(7, "taken", "id_taken"),
            "The ID belongs to another workflow. Submit the order with an ID of its own.",
        ),
        (
            *(8, "known", "invalid"),
            'lines.0.item is "": String should have at least 1 character.',
        ),
    ]


async def test_an_order_that_was_corrected_does_not_change_what_the_batch_says(
    topics: TopicsInMemory, batch_store: BatchStore, store: OrderStore
) -> None:
    """The entry stays refused with its explanation, although the order continues."""
    await topics.deliver(TOPIC, {"batch_id": "b1", "orders": [{**GOOD, "quantity": 0}]})
    before = await details(batch_store)

    await store.accept(OrderSubmitted.model_validate(GOOD))

    assert await details(batch_store) == before
    assert before[0][2] == "invalid"


async def test_the_end_of_a_batch_names_the_first_refused_entries(
    topics: TopicsInMemory, batch_store: BatchStore
) -> None:
    """The event has as many as brokers can carry, and is the same however often it is published."""
    await topics.deliver(TOPIC, {"batch_id": "b1", "orders": list(range(500))})

    ended, again = await batch_store.conclude("b1"), await batch_store.conclude("b1")

    assert ended is not None
    assert ended == again
    assert ended.refused == (await read(batch_store, "b1")).orders[:MOST_NAMED_REFUSALS]
    assert ended.counts == {"rejected": 500}


async def test_the_end_of_a_batch_stays_below_the_limit_of_events(
    topics: TopicsInMemory, batch_store: BatchStore
) -> None:
    """Even if every entry has many long fields that are invalid, and each sign is escaped."""
    worst = {
        "customer_id": "<" * 200,
        "lines": [{"item": "<" * 200, "quantity": "<" * 200}] * 4,
    }
    await topics.deliver(TOPIC, {"batch_id": "b1", "orders": [worst] * MOST_NAMED_REFUSALS})

    ended = await batch_store.conclude("b1")

    assert ended is not None
    assert len(ended.refused) == MOST_NAMED_REFUSALS
    assert len(ended.model_dump_json().replace("<", r"\u003c")) < MOST_BYTES


async def test_a_rejection_that_could_not_be_promised_is_with_the_next_delivery(
    topics: TopicsInMemory, publisher: Promised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event of the batch is parked."""
    down = EngineUnavailable("the sidecar is down")
    fail_once(monkeypatch, "orders.ordering.changes.add_within", down)
    batch = {"batch_id": "b1", "orders": [{**GOOD, "quantity": 0}]}

    await topics.deliver(TOPIC, batch)
    assert publisher.statuses_of("a") == []
    await topics.pass_time()

    assert publisher.statuses_of("a") == ["rejected"]
    assert await topics.errors() == []
