"""What every payment provider must do, together with the record of what it did.

Subclass `PaymentProviderTests` under a name that pytest collects, and give it a fixture `subject`.
The fixture `database` has the tables of orders.
"""

import asyncio
from typing import Literal, Protocol

import pytest

from fakes.dying_payments import Deaths, Died, DyingStore
from orderflow_hosting.database import Database
from orders.payments.provider import NotCharged, OutcomeUnknown, PaymentProvider, PaymentUnavailable
from orders.payments.service import RecordedPayments
from orders.payments.store import PaymentStore

Death = Literal["before the record", "after the record"]
DEATHS: tuple[Death, ...] = ("before the record", "after the record")
CHARGED = [("charge", 500)]
REFUNDED = [("charge", 500), ("refund", 500)]


class Subject(Protocol):
    """A provider, and customers whom it treats in a certain way; all others are charged."""

    declined_customer: str
    unavailable_customer: str
    """The provider does not answer for this customer's orders when first asked about each."""
    unreachable_customer: str
    """The first charge for each of this customer's orders does not reach the provider."""
    silent_customer: str
    """The first charge for each of this customer's orders is made, and its answer is lost."""

    def provider(self) -> PaymentProvider:
        """Return the provider as a process that has just started would build it."""
        ...

    async def moved(self, order_id: str) -> list[tuple[str, int]]:
        """Return the charge and the refund of an order, by the provider's own books."""
        ...


class LateStore(PaymentStore):
    """The record of a process that read it before another one wrote to it."""

    async def is_charged(self, order_id: str) -> bool | None:  # noqa: ARG002 # the record has it
        """Find nothing yet."""
        return None


class Books:
    """Starts processes that charge and refund, and compares the record with the provider."""

    def __init__(self, subject: Subject, database: Database) -> None:
        self._subject = subject
        self._database = database
        self._store = PaymentStore(database)

    def process(self) -> RecordedPayments:
        """Start a process."""
        return RecordedPayments(self._subject.provider(), self._store)

    def dying_process(self, death: Death) -> RecordedPayments:
        """Start a process that dies beside its first entry in the record."""
        store = DyingStore(self._database, Deaths([death]))
        return RecordedPayments(self._subject.provider(), store)

    def late_process(self) -> RecordedPayments:
        """Start a process that asks the provider although the record would tell it not to."""
        return RecordedPayments(self._subject.provider(), LateStore(self._database))

    async def entries(self, order_id: str = "o1") -> list[tuple[str, int]]:
        """Return the record of an order, which must agree with the provider's books."""
        entries: list[tuple[str, int]] = [
            (each.kind, each.amount_cents) for each in await self._store.entries(order_id)
        ]
        assert await self._subject.moved(order_id) == [each for each in entries if each[1]]
        return entries


class PaymentProviderTests:
    """An order is charged once and refunded once, and the record says so."""

    @pytest.fixture
    def books(self, subject: Subject, database: Database) -> Books:
        """Start with no payments."""
        return Books(subject, database)

    async def test_a_charge_is_made_once(self, books: Books) -> None:
        """However often it is asked for, at once or later, the customer pays once."""
        process, late = books.process(), books.late_process()

        at_once = (each.charge("o1", "alice", 500) for each in [process, late] * 10)
        assert all(await asyncio.gather(*at_once))
        assert await process.charge("o1", "alice", 500)
        assert await late.charge("o1", "alice", 500)

        assert await books.entries() == CHARGED

    async def test_another_process_does_not_charge_again(self, books: Books) -> None:
        """Whether it knows the record or not."""
        await books.process().charge("o1", "alice", 500)

        assert await books.process().charge("o1", "alice", 500)
        assert await books.late_process().charge("o1", "alice", 500)
        assert await books.entries() == CHARGED

    async def test_orders_are_charged_apart(self, books: Books) -> None:
        """The order's id is the idempotency key, not the customer or the amount."""
        for order_id in ("o1", "o2"):
            assert await books.process().charge(order_id, "alice", 500)
        await books.process().refund("o1")

        assert await books.entries("o1") == REFUNDED
        assert await books.entries("o2") == CHARGED

    @pytest.mark.parametrize("death", DEATHS)
    async def test_a_charge_cut_short_is_finished(self, books: Books, death: Death) -> None:
        """The process dies after the provider's charge; the retry ends with charge and record."""
        with pytest.raises(Died):
            await books.dying_process(death).charge("o1", "alice", 500)

        assert await books.process().charge("o1", "alice", 500)

        assert await books.entries() == CHARGED

    @pytest.mark.parametrize("death", DEATHS)
    async def test_a_charge_cut_short_is_refunded(self, books: Books, death: Death) -> None:
        """The order is undone instead; the customer has paid nothing, and never will."""
        with pytest.raises(Died):
            await books.dying_process(death).charge("o1", "alice", 500)

        await books.process().refund("o1")

        entries = await books.entries()
        assert entries in ([("refund", 0)], REFUNDED)
        assert not await books.late_process().charge("o1", "alice", 500)
        assert not await books.process().charge("o1", "alice", 500)
        assert await books.entries() == entries

    async def test_a_refund_returns_the_charge_once(self, books: Books) -> None:
        """A repeated refund returns nothing more."""
        await books.process().charge("o1", "alice", 500)

        for _ in range(2):
            await books.process().refund("o1")

        assert await books.entries() == REFUNDED

    @pytest.mark.parametrize("death", DEATHS)
    async def test_a_refund_cut_short_is_finished(self, books: Books, death: Death) -> None:
        """The process dies after the provider's refund; the retry ends with refund and record."""
        await books.process().charge("o1", "alice", 500)
        with pytest.raises(Died):
            await books.dying_process(death).refund("o1")

        await books.process().refund("o1")

        assert await books.entries() == REFUNDED

    @pytest.mark.parametrize("is_charged", [True, False])
    async def test_no_charge_follows_a_refund(self, books: Books, *, is_charged: bool) -> None:
        """A charge still in transit when its order is undone takes no money."""
        if is_charged:
            await books.process().charge("o1", "alice", 500)
        await books.process().refund("o1")
        before = await books.entries()

        assert not await books.process().charge("o1", "alice", 500)
        assert not await books.late_process().charge("o1", "alice", 500)
        assert await books.entries() == before

    async def test_a_charge_and_a_refund_at_once_leave_nothing_charged(self, books: Books) -> None:
        """Whichever comes first."""
        for number in range(10):
            order_id = f"o{number}"
            calls = [
                books.late_process().charge(order_id, "alice", 500),
                books.process().refund(order_id),
            ]
            await asyncio.gather(*(calls if number % 2 else reversed(calls)))

            entries = await books.entries(order_id)
            assert entries in ([("refund", 0)], REFUNDED)

    async def test_a_declined_customer_is_not_charged(self, books: Books, subject: Subject) -> None:
        """Nothing is recorded."""
        assert not await books.process().charge("o1", subject.declined_customer, 500)
        assert await books.entries() == []

    async def test_a_provider_that_does_not_answer_is_asked_again(
        self, books: Books, subject: Subject
    ) -> None:
        """The step that failed is retried, and charges once."""
        process = books.process()
        with pytest.raises(PaymentUnavailable):
            await process.charge("o1", subject.unavailable_customer, 500)

        assert await process.charge("o1", subject.unavailable_customer, 500)

        assert await books.entries() == CHARGED

    async def test_a_charge_whose_answer_was_lost_is_found(
        self, books: Books, subject: Subject
    ) -> None:
        """By its idempotency key; it is recorded then, and charged no second time."""
        process = books.process()
        with pytest.raises(OutcomeUnknown):
            await process.charge("o1", subject.silent_customer, 500)

        assert await process.was_charged("o1")

        assert await books.entries() == CHARGED
        assert await process.charge("o1", subject.silent_customer, 500)
        assert await books.entries() == CHARGED

    async def test_a_charge_whose_answer_was_lost_is_refunded(
        self, books: Books, subject: Subject
    ) -> None:
        """Whether it was looked up before or not."""
        for order_id, is_looked_up in (("o1", True), ("o2", False)):
            process = books.process()
            with pytest.raises(OutcomeUnknown):
                await process.charge(order_id, subject.silent_customer, 500)
            if is_looked_up:
                await process.was_charged(order_id)

            await process.refund(order_id)

            assert await books.entries(order_id) == REFUNDED
            assert not await books.late_process().charge(order_id, "alice", 500)

    async def test_a_charge_that_did_not_reach_the_provider_is_not_found(
        self, books: Books, subject: Subject
    ) -> None:
        """Nothing was charged, until it is sent again."""
        process = books.process()
        with pytest.raises(NotCharged):
            await process.charge("o1", subject.unreachable_customer, 500)

        assert not await process.was_charged("o1")
        assert await books.entries() == []

        assert await process.charge("o1", subject.unreachable_customer, 500)
        assert await books.entries() == CHARGED

    async def test_no_charge_is_found_for_an_order_that_never_had_one(
        self, books: Books, subject: Subject
    ) -> None:
        """Neither for an unknown order, nor for one that was declined."""
        await books.process().charge("o1", subject.declined_customer, 500)

        assert await subject.provider().find("o1") == await subject.provider().find("o2") == 0
        assert not await books.process().was_charged("o1")
        assert await books.entries() == []

    @pytest.mark.parametrize("death", DEATHS)
    async def test_a_charge_is_looked_up_after_its_refund(self, books: Books, death: Death) -> None:
        """Also if the refund was not recorded: the order has paid nothing in the end."""
        await books.process().charge("o1", "alice", 500)
        with pytest.raises(Died):
            await books.dying_process(death).refund("o1")

        await books.late_process().was_charged("o1")
        await books.process().refund("o1")

        assert not await books.process().was_charged("o1")
        assert await books.entries() == REFUNDED
