"""The built-in payment provider: each order's money moves once."""

import asyncio

import pytest

from orderflow_hosting.database import Database
from orders.payments.ledger import LedgerProvider
from orders.payments.provider import PaymentUnavailable


async def entries(payments: LedgerProvider, order_id: str = "o1") -> list[tuple[str, int]]:
    return [(entry.kind, entry.amount_cents) for entry in await payments.entries(order_id)]


async def test_a_charge_is_entered_once(payments: LedgerProvider) -> None:
    """However often it is asked, at once or later, the customer pays once."""
    charges = await asyncio.gather(*(payments.charge("o1", "alice", 500) for _ in range(20)))
    charges.append(await payments.charge("o1", "alice", 500))

    assert all(charges)
    assert await entries(payments) == [("charge", 500)]


async def test_a_charge_is_known_to_another_process(
    payments: LedgerProvider, database: Database
) -> None:
    """What one process charged another does not charge again."""
    await payments.charge("o1", "alice", 500)

    assert await LedgerProvider(database).charge("o1", "alice", 500)
    assert await entries(payments) == [("charge", 500)]


async def test_a_refund_gives_back_what_was_charged_once(payments: LedgerProvider) -> None:
    """A repeated refund gives back nothing more."""
    await payments.charge("o1", "alice", 500)

    await payments.refund("o1")
    await payments.refund("o1")

    assert await entries(payments) == [("charge", 500), ("refund", 500)]


@pytest.mark.parametrize("charged_before", [True, False])
async def test_no_charge_follows_a_refund(
    payments: LedgerProvider, *, charged_before: bool
) -> None:
    """A charge still on its way when its order is undone takes no money."""
    if charged_before:
        await payments.charge("o1", "alice", 500)
    await payments.refund("o1")
    before = await entries(payments)

    assert not await payments.charge("o1", "alice", 500)
    assert await entries(payments) == before


async def test_a_declined_customer_is_not_charged(payments: LedgerProvider) -> None:
    """A customer for tests is declined, and nothing is entered."""
    assert not await payments.charge("o1", "test-declined-7", 500)
    assert await entries(payments) == []


async def test_an_unavailable_provider_comes_back_after_so_many_times(
    payments: LedgerProvider,
) -> None:
    """The provider can be told to fail N times for each order, and then charges once."""
    for order_id in ("o1", "o2"):
        for _ in range(2):
            with pytest.raises(PaymentUnavailable):
                await payments.charge(order_id, "test-unavailable-2-x", 500)

        assert await payments.charge(order_id, "test-unavailable-2-x", 500)
        assert await entries(payments, order_id) == [("charge", 500)]


@pytest.mark.parametrize(
    "customer", ["test-unavailable-", "test-unavailable-x", "test-unavailable-²"]
)
async def test_a_number_that_is_none_makes_nothing_unavailable(
    payments: LedgerProvider, customer: str
) -> None:
    """A customer whose name only looks like one for tests is charged."""
    assert await payments.charge("o1", customer, 500)


async def test_the_ledger_is_read_newest_first_and_page_by_page(payments: LedgerProvider) -> None:
    """Pages of the ledger follow each other."""
    for number in range(4):
        await payments.charge(f"o{number}", "alice", number)

    first = await payments.ledger(3, None)
    second = await payments.ledger(3, first[-1].number)

    assert [entry.order_id for entry in [*first, *second]] == ["o3", "o2", "o1", "o0"]
