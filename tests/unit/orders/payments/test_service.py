"""Payments and their record, when the process dies at any point between the two."""

from collections.abc import Awaitable, Callable

import pytest

from conformance.payment_provider import PaymentProviderTests
from fakes.dying_payments import POINTS, Bank, Deaths, Died, DyingStore, Point
from orderflow_hosting.database import Database
from orders.payments.provider import Declined, NotCharged, OutcomeUnknown, PaymentUnavailable
from orders.payments.service import RecordedPayments

NOWHERE: tuple[Point | None, ...] = (None, *POINTS)

each_charge = pytest.mark.parametrize("charge_dies", NOWHERE)
each_refund = pytest.mark.parametrize("refund_dies", NOWHERE)


class BankWithOutages(Bank):
    """The bank, which does not answer when it is first asked about an order of some customers."""

    async def charge(self, order_id: str, customer_id: str, amount_cents: int) -> bool:
        """Charge, or do not answer although the customer was charged."""
        is_new = ("charge", order_id) not in self.asked
        if customer_id == "unreachable" and is_new:
            self.asked.append(("charge", order_id))
            raise NotCharged("the connection was refused")
        accepted = await super().charge(order_id, customer_id, amount_cents)
        if customer_id == "unlucky" and is_new:
            raise PaymentUnavailable("the answer was lost")
        if customer_id == "silent" and is_new:
            raise OutcomeUnknown("the answer was lost")
        return accepted


class BankSubject:
    """A payment service that outlives the processes that ask it."""

    declined_customer = "poor"
    unavailable_customer = "unlucky"
    unreachable_customer = "unreachable"
    silent_customer = "silent"

    def __init__(self) -> None:
        self._bank = BankWithOutages()

    def provider(self) -> Bank:
        """Connect to the service."""
        return self._bank

    async def moved(self, order_id: str) -> list[tuple[str, int]]:
        """Read the service's books."""
        return self._bank.moved(order_id)


class Shop:
    """The bank and the record, with a process that dies where it is planned."""

    def __init__(self, database: Database) -> None:
        self.deaths = Deaths()
        self.bank = Bank(self.deaths)
        self.payments = RecordedPayments(self.bank, DyingStore(database, self.deaths))

    async def charge(self) -> bool | Declined:
        """Charge the order."""
        return await self.payments.charge("o1", "alice", 500)

    async def refund(self) -> None:
        """Refund the order."""
        await self.payments.refund("o1")

    async def die(self, point: Point | None, step: Callable[[], Awaitable[object]]) -> None:
        """Begin a step in a process that dies at a point, if there is one."""
        if point is not None:
            self.deaths.planned.append(point)
            with pytest.raises(Died, match=point):
                await step()

    async def recorded(self) -> list[tuple[str, int]]:
        """Return the entries of the record that moved money."""
        entries = await self.payments.store.entries("o1")
        return [(entry.kind, entry.amount_cents) for entry in entries if entry.amount_cents]


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@each_charge
@each_refund
async def test_retried_steps_end_with_both(
    shop: Shop, charge_dies: Point | None, refund_dies: Point | None
) -> None:
    """Wherever a charge and then a refund die, their retries leave bank and record the same."""
    await shop.die(charge_dies, shop.charge)
    assert await shop.charge()
    assert shop.bank.moved("o1") == await shop.recorded() == [("charge", 500)]

    await shop.die(refund_dies, shop.refund)
    await shop.refund()

    assert shop.bank.moved("o1") == await shop.recorded() == [("charge", 500), ("refund", 500)]
    assert not await shop.charge()


@each_charge
@each_refund
async def test_an_order_undone_after_a_death_has_paid_nothing(
    shop: Shop, charge_dies: Point | None, refund_dies: Point | None
) -> None:
    """If the charge that died is not retried but refunded, the record has what the bank did."""
    await shop.die(charge_dies, shop.charge)
    was_charged = charge_dies not in (None, "before the provider")

    await shop.die(refund_dies, shop.refund)
    await shop.refund()
    late = await shop.charge()

    expected = [("charge", 500), ("refund", 500)] if was_charged else []
    assert shop.bank.moved("o1") == await shop.recorded() == expected
    assert not late


@pytest.mark.parametrize("point", ["after the provider", "before the record"])
async def test_the_provider_is_asked_again_with_the_same_key(shop: Shop, point: Point) -> None:
    """What was asked and not recorded is asked for once more under the order's id."""
    await shop.die(point, shop.charge)
    await shop.charge()

    assert shop.bank.asked == [("charge", "o1")] * 2


async def test_the_provider_is_not_asked_for_what_is_recorded(shop: Shop) -> None:
    """A charge that is recorded, or that a refund forbids, needs no provider."""
    await shop.die("after the record", shop.charge)
    assert await shop.charge()
    await shop.refund()
    assert not await shop.charge()

    assert shop.bank.asked == [("charge", "o1"), ("refund", "o1")]


class TestBank(PaymentProviderTests):
    """The tests of every provider, with a provider that has books of its own."""

    @pytest.fixture
    def subject(self) -> BankSubject:
        """Start with no payments."""
        return BankSubject()
