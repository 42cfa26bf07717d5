"""The record of charges and refunds."""

import pytest

from orderflow_hosting.database import Database
from orders.payments.store import PaymentStore


@pytest.fixture
def payment_store(database: Database) -> PaymentStore:
    return PaymentStore(database)


async def entries(store: PaymentStore) -> list[tuple[str, int]]:
    return [(entry.kind, entry.amount_cents) for entry in await store.entries("o1")]


async def test_the_record_knows_whether_an_order_is_charged(payment_store: PaymentStore) -> None:
    """Neither before anything is recorded, then charged, then refunded."""
    assert await payment_store.is_charged("o1") is None
    await payment_store.record_charge("o1", 500)
    assert await payment_store.is_charged("o1") is True
    await payment_store.record_refund("o1", 500)
    assert await payment_store.is_charged("o1") is False


@pytest.mark.parametrize("refunded_cents", [0, 500])
async def test_a_recorded_charge_is_refunded_in_full(
    payment_store: PaymentStore, refunded_cents: int
) -> None:
    """Also if the provider says that no money moved, as the built-in one does."""
    await payment_store.record_charge("o1", 500)

    await payment_store.record_refund("o1", refunded_cents)

    assert await entries(payment_store) == [("charge", 500), ("refund", 500)]


async def test_a_refund_tells_of_a_charge_that_was_not_recorded(
    payment_store: PaymentStore,
) -> None:
    """What the provider refunded, it had charged."""
    await payment_store.record_refund("o1", 500)

    assert await entries(payment_store) == [("charge", 500), ("refund", 500)]
    assert await payment_store.is_charged("o1") is False


async def test_the_record_is_read_newest_first_and_page_by_page(
    payment_store: PaymentStore,
) -> None:
    """Pages of the record follow each other."""
    for number in range(4):
        await payment_store.record_charge(f"o{number}", number)

    first = await payment_store.newest(3, None)
    second = await payment_store.newest(3, first[-1].number)

    assert [entry.order_id for entry in [*first, *second]] == ["o3", "o2", "o1", "o0"]
