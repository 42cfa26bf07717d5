"""The built-in payment provider, and its customers for tests."""

import pytest

from conformance.payment_provider import PaymentProviderTests
from orderflow_hosting.database import Database
from orders.payments.built_in import BuiltInProvider
from orders.payments.provider import NotCharged, OutcomeUnknown, PaymentUnavailable
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore


class BuiltInSubject:
    """The built-in provider, whose only books are the record."""

    declined_customer = "test-declined-7"
    unavailable_customer = "test-unavailable-1"
    unreachable_customer = "test-unavailable-1"
    silent_customer = "test-silent-1"

    def __init__(self, database: Database) -> None:
        self._store = PaymentStore(database)

    def provider(self) -> BuiltInProvider:
        """Build it."""
        return BuiltInProvider()

    async def moved(self, order_id: str) -> list[tuple[str, int]]:
        """Read the record."""
        entries = await self._store.entries(order_id)
        return [(entry.kind, entry.amount_cents) for entry in entries if entry.amount_cents]


class TestBuiltInProvider(PaymentProviderTests):
    """The tests of every provider."""

    @pytest.fixture
    def subject(self, database: Database) -> BuiltInSubject:
        """Start with no payments."""
        return BuiltInSubject(database)


async def entries(payments: RecordedPayments, order_id: str = "o1") -> list[tuple[str, int]]:
    return [(entry.kind, entry.amount_cents) for entry in await payments.store.entries(order_id)]


async def test_an_unavailable_provider_comes_back_after_so_many_times(
    payments: RecordedPayments,
) -> None:
    """The provider can be told to fail N times for each order, and then charges once."""
    for order_id in ("o1", "o2"):
        for _ in range(2):
            with pytest.raises(PaymentUnavailable):
                await payments.charge(order_id, "test-unavailable-2-x", 500)

        assert await payments.charge(order_id, "test-unavailable-2-x", 500)
        assert await entries(payments, order_id) == [("charge", 500)]


async def test_an_unavailable_provider_was_not_charged(payments: RecordedPayments) -> None:
    """It says so, so that the order can be cancelled at once."""
    with pytest.raises(NotCharged):
        await payments.charge("o1", "test-unavailable-1", 500)
    assert not await payments.was_charged("o1")


async def test_the_answers_of_a_silent_provider_are_lost_so_many_times(
    payments: RecordedPayments,
) -> None:
    """Charges and lookups count together; then the charge that was made is found."""
    for order_id in ("o1", "o2"):
        with pytest.raises(OutcomeUnknown):
            await payments.charge(order_id, "test-silent-2-x", 500)
        with pytest.raises(OutcomeUnknown):
            await payments.was_charged(order_id)
        assert await entries(payments, order_id) == []

        assert await payments.was_charged(order_id)
        assert await entries(payments, order_id) == [("charge", 500)]


async def test_a_silent_provider_that_is_charged_again_charges_once(
    payments: RecordedPayments,
) -> None:
    """The retries of the step count, too."""
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await payments.charge("o1", "test-silent-2", 500)

    assert await payments.charge("o1", "test-silent-2", 500)
    assert await entries(payments) == [("charge", 500)]


@pytest.mark.parametrize(
    "customer",
    [
        "test-unavailable-",
        "test-silent-",
        "test-silent-x",
        "test-unavailable-x",
        "test-unavailable-²",
    ],
)
async def test_a_number_that_is_none_makes_nothing_unavailable(
    payments: RecordedPayments, customer: str
) -> None:
    """A customer whose name only looks like one for tests is charged."""
    assert await payments.charge("o1", customer, 500)
