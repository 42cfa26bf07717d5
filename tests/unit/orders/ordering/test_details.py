"""Rejections explain themselves in a sentence: recorded, published, and shown."""

from collections.abc import Iterable

import pytest

from fakes.events import TopicsInMemory
from fakes.orders_ports import MemoryApprovals, MemoryEngine, Promised
from fakes.workflow_run import Event, Happening, TimerFires, WorkflowRun, carried_out_by
from orderflow_contracts.approvals import Decision
from orderflow_contracts.inventory import ReservationRejected, Shortage
from orderflow_contracts.orders import OrderLine, OrderSubmitted
from orderflow_hosting.dapr_app import Answer
from orderflow_hosting.database import Database
from orders.explanations import why_declined, why_denied, why_not_reserved
from orders.ordering.activities import OrderActivities
from orders.ordering.api import subscribe
from orders.ordering.service import Intake
from orders.ordering.store import OrderStore
from orders.ordering.workflow import order_processing_workflow
from orders.tables import DEAD_LETTERS, PARKED_EVENTS


def decided(comment: str) -> Event:
    return Event("approval_decided", {"approved": False, "approver": "bob", "comment": comment})


def ordered(item: str, quantity: int, customer_id: str = "alice") -> OrderSubmitted:
    lines = (OrderLine(item=item, quantity=quantity),)
    return OrderSubmitted(order_id="o1", customer_id=customer_id, lines=lines)


REJECTIONS: dict[str, tuple[OrderSubmitted, Iterable[Happening], str]] = {
    "out_of_stock": (ordered("cars", 101), [], "cars: 101 ordered, but only 100 are available."),
    "unknown_item": (
        ordered("submarines", 1),
        [],
        "submarines: 1 ordered, but none is available. This item does not exist.",
    ),
    "denied": (ordered("cars", 11), [decided("too many")], "bob denied it: too many"),
    "approval_expired": (
        ordered("cars", 11),
        [TimerFires()],
        "It was not approved by 2026-03-02 12:00:00 UTC.",
    ),
    "payment_declined": (
        ordered("cars", 1, "test-declined-7"),
        [],
        "The payment provider declined: test-declined-7 is a test customer whose payments fail.",
    ),
}


@pytest.mark.parametrize("reason", REJECTIONS)
async def test_a_rejection_is_explained(
    intake: Intake,
    engine: MemoryEngine,
    activities: OrderActivities,
    publisher: Promised,
    store: OrderStore,
    approvals: MemoryApprovals,
    reason: str,
) -> None:
    """In the order, in its history, and in the published status."""
    submitted, happenings, detail = REJECTIONS[reason]
    await intake.submit(submitted)
    run = engine.runs["o1"][0].model_copy(update={"approval_reminder_after": 0.0})
    answer = carried_out_by(activities)
    approvals.record("o1", happenings)

    await WorkflowRun(order_processing_workflow, run, answer, happenings=happenings).run_to_end()

    order = await store.order("o1")
    assert order is not None
    assert (order.status, order.reason, order.detail) == ("rejected", reason, detail)
    assert order.history[-1].detail == detail
    assert publisher.statuses[-1].detail == detail
    assert {entry.detail for entry in order.history[:-1]} == {None}


def test_a_denial_without_a_comment_names_the_approver() -> None:
    """There is nothing to quote."""
    assert why_denied(Decision(approved=False, approver="bob", comment=" ")) == "bob denied it."


@pytest.mark.parametrize(
    ("rejection", "detail"),
    [
        (
            ReservationRejected(
                reason="out_of_stock",
                shortages=(
                    Shortage(item="cars", requested=2_000, available=1),
                    Shortage(item="computers", requested=3, available=0),
                ),
            ),
            (
                "cars: 2,000 ordered, but only 1 is available."
                " computers: 3 ordered, but none is available."
            ),
        ),
        (
            ReservationRejected(
                reason="unknown_item",
                shortages=(
                    Shortage(item="boats", requested=2, available=0),
                    Shortage(item="cars", requested=3, available=2),
                ),
            ),
            (
                "boats: 2 ordered, but none is available."
                " cars: 3 ordered, but only 2 are available."
                " At least one of these items does not exist."
            ),
        ),
        (
            ReservationRejected(reason="released"),
            "The reservation had been released before it was made.",
        ),
    ],
)
def test_every_shortage_is_named(rejection: ReservationRejected, detail: str) -> None:
    """With what was ordered and what is available."""
    assert why_not_reserved(rejection) == detail


def test_a_provider_without_words_is_not_quoted() -> None:
    """A provider need not say why."""
    assert why_declined("") == "The payment provider declined."


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (
            {"order_id": "o1", "item": "cars", "quantity": "many"},
            'lines.0.quantity is "many": Input should be a valid integer.',
        ),
        (
            {"order_id": "o1", "item": "cars", "quantity": float("nan")},
            "The event is invalid: data.quantity: NaN is not a number in JSON.",
        ),
    ],
)
async def test_an_invalid_event_is_explained(
    database: Database,
    intake: Intake,
    publisher: Promised,
    store: OrderStore,
    data: dict[str, object],
    detail: str,
) -> None:
    """Which field, what was sent, and what is expected."""
    topics = TopicsInMemory(database, DEAD_LETTERS, PARKED_EVENTS)
    subscribe(topics.topics, intake)

    assert await topics.deliver("orders.submitted", data) is Answer.DEAD_LETTER

    order = await store.order("o1")
    assert order is not None
    assert (order.customer_id, order.lines, order.detail) == ("anonymous", (), detail)
    assert [change.detail for change in publisher.statuses] == [detail]
