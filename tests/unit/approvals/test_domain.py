from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain import (
    ApprovalExpired,
    ApprovalNotWanted,
    Case,
    DecisionStands,
    OtherRequest,
    RefusedByRule,
)
from orderflow_contracts.approvals import (
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
    DecisionMade,
)
from orderflow_contracts.orders import OrderLine

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEADLINE = NOON + timedelta(hours=1)
LATER = DEADLINE + timedelta(minutes=1)
YES = Decision(approved=True, approver="ada", comment="fine")
NO = Decision(approved=False, approver="bob")
CANCELLED = ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request")
EXPIRED = ApprovalWithdrawn(order_id="o-1", reason="approval_expired")
NOTHING = Case("o-1")

Step = Callable[[Case], Case]


def request(total_cents: int = 60_000_00, expires_at: datetime = DEADLINE) -> ApprovalRequested:
    return ApprovalRequested(
        order_id="o-1",
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4), OrderLine(item="computers", quantity=1)),
        total_cents=total_cents,
        expires_at=expires_at,
    )


def asked(case: Case) -> Case:
    return case.ask(request(), NOON)


def approved(case: Case) -> Case:
    return case.decide(YES, NOON)


def cancelled(case: Case) -> Case:
    return case.withdraw(CANCELLED, NOON)


def after(*steps: Step) -> Case:
    """Apply steps in turn; one that the rules refuse changes nothing."""
    case = NOTHING
    for step in steps:
        try:
            case = step(case)
        except RefusedByRule:
            continue
    return case


def test_a_request_is_pending_until_its_deadline() -> None:
    """A request without a decision is pending, and expired from its deadline on."""
    case = asked(NOTHING)

    assert case.status(NOON) is ApprovalStatus.PENDING
    assert case.status(DEADLINE - timedelta(microseconds=1)) is ApprovalStatus.PENDING
    assert case.status(DEADLINE) is ApprovalStatus.EXPIRED


@pytest.mark.parametrize(
    ("decision", "status"), [(YES, ApprovalStatus.APPROVED), (NO, ApprovalStatus.DENIED)]
)
def test_a_decision_stands_beyond_the_deadline(decision: Decision, status: ApprovalStatus) -> None:
    """A decision in time keeps its meaning however late it is read."""
    case = asked(NOTHING).decide(decision, NOON)

    assert case.status(LATER) is status
    assert case.undelivered == decision


def test_a_decision_may_come_before_its_request() -> None:
    """A decision is kept, and neither shown nor delivered until the request has come."""
    kept = approved(NOTHING)

    assert kept.status(NOON) is None
    assert kept.describe(NOON) is None
    assert kept.undelivered is None
    assert asked(kept).status(NOON) is ApprovalStatus.APPROVED
    assert asked(kept).undelivered == YES


@pytest.mark.parametrize("steps", list(permutations([asked, approved, cancelled])))
def test_every_order_of_arrival_ends_as_withdrawn(steps: tuple[Step, ...]) -> None:
    """Whatever comes first, a withdrawn order reads as withdrawn and has nothing to deliver."""
    case = after(*steps)

    assert case.status(LATER) is ApprovalStatus.WITHDRAWN
    assert case.undelivered is None


@pytest.mark.parametrize("steps", list(permutations([asked, asked, approved, approved])))
def test_what_comes_twice_counts_once(steps: tuple[Step, ...]) -> None:
    """Repeated messages change nothing, whatever their order."""
    assert after(*steps).describe(NOON) == after(asked, approved).describe(NOON)


def test_a_withdrawal_may_come_before_its_request() -> None:
    """A request that was withdrawn before it arrived is never pending."""
    case = asked(cancelled(NOTHING))

    assert case.status(NOON) is ApprovalStatus.WITHDRAWN
    with pytest.raises(ApprovalNotWanted):
        approved(case)


def test_the_first_decision_stands() -> None:
    """Another answer, another person or another comment is another decision."""
    case = approved(asked(NOTHING))

    for other in (
        NO,
        YES.model_copy(update={"approver": "eve"}),
        YES.model_copy(update={"comment": "well"}),
    ):
        with pytest.raises(DecisionStands, match="approved by ada"):
            case.decide(other, NOON)
    assert case.decide(YES, LATER) == case


def test_a_kept_decision_stands_too() -> None:
    """The first decision stands also while its request has not come."""
    with pytest.raises(DecisionStands):
        approved(NOTHING).decide(NO, NOON)


def test_a_decision_by_topic_is_the_same_as_one_by_http() -> None:
    """Which way a decision came makes no difference to what it says."""
    case = approved(asked(NOTHING))
    by_topic = DecisionMade(order_id="o-1", **YES.model_dump())

    assert case.decide(by_topic, NOON) == case


def test_a_decision_after_the_deadline_is_refused() -> None:
    """By this service's own clock, a decision at the deadline or later has expired."""
    with pytest.raises(ApprovalExpired):
        asked(NOTHING).decide(YES, DEADLINE)


def test_a_decision_on_an_expired_request_is_refused() -> None:
    """When orders says that the time is over, it is, whatever the clock here says."""
    with pytest.raises(ApprovalExpired):
        asked(NOTHING).withdraw(EXPIRED, NOON).decide(YES, NOON)


def test_a_kept_decision_of_after_the_deadline_does_not_count() -> None:
    """A decision that was kept, but made after the deadline, came too late."""
    case = NOTHING.decide(YES, LATER).ask(request(), LATER + timedelta(minutes=1))

    assert case.status(LATER) is ApprovalStatus.EXPIRED
    assert case.undelivered is None


def test_a_kept_decision_in_time_counts_though_its_request_came_late() -> None:
    """What counts is when the decision was made, not when its request arrived."""
    case = NOTHING.decide(YES, NOON).ask(request(), LATER)

    assert case.status(LATER) is ApprovalStatus.APPROVED
    assert case.undelivered == YES


@pytest.mark.parametrize(
    ("withdrawal", "status"),
    [(EXPIRED, ApprovalStatus.EXPIRED), (CANCELLED, ApprovalStatus.WITHDRAWN)],
)
def test_a_withdrawal_overrules_a_decision(
    withdrawal: ApprovalWithdrawn, status: ApprovalStatus
) -> None:
    """Orders knows how the wait ended; a decision that lost is still shown with who made it."""
    case = approved(asked(NOTHING)).withdraw(withdrawal, LATER)
    shown = case.describe(LATER)

    assert shown is not None
    assert (shown.status, shown.approver, shown.comment) == (status, "ada", "fine")
    assert case.made is not None
    assert case.made.outcome == "too_late"


def test_the_first_withdrawal_stands() -> None:
    """A second reason does not replace the first."""
    case = asked(NOTHING).withdraw(EXPIRED, LATER)

    assert case.withdraw(CANCELLED, LATER) == case


@pytest.mark.parametrize(
    ("answered_at", "status"),
    [(NOON, ApprovalStatus.WITHDRAWN), (LATER, ApprovalStatus.EXPIRED)],
)
def test_too_late_ends_the_approval(answered_at: datetime, status: ApprovalStatus) -> None:
    """Orders' answer `too_late` ends the approval, by its deadline if that has passed."""
    case = approved(asked(NOTHING)).handed_over("too_late", answered_at)

    assert case.status(LATER) is status
    assert case.undelivered is None


def test_a_withdrawal_says_better_why_it_was_too_late() -> None:
    """The reason that orders publishes replaces the one gathered from its answer."""
    case = approved(asked(NOTHING)).handed_over("too_late", NOON).withdraw(EXPIRED, NOON)

    assert case.status(NOON) is ApprovalStatus.EXPIRED


def test_taken_ends_the_handover() -> None:
    """A decision that orders took is not delivered again, and a second answer changes nothing."""
    case = approved(asked(NOTHING)).handed_over("taken", NOON)

    assert case.undelivered is None
    assert case.status(LATER) is ApprovalStatus.APPROVED
    assert case.handed_over("too_late", LATER) == case


def test_another_request_for_the_same_order_is_refused() -> None:
    """Another total is another request; another order of lines is not."""
    case = asked(NOTHING)
    turned = request().model_copy(update={"lines": request().lines[::-1]})

    with pytest.raises(OtherRequest):
        case.ask(request(total_cents=1), NOON)
    assert case.ask(turned, LATER) == case


def test_an_approval_reads_in_full() -> None:
    """People read the request, its status and who decided what and when."""
    shown = approved(asked(NOTHING)).describe(LATER)

    assert shown is not None
    assert shown.model_dump(mode="json") == {
        "order_id": "o-1",
        "customer_id": "carol",
        "lines": [{"item": "cars", "quantity": 4}, {"item": "computers", "quantity": 1}],
        "total_cents": 60_000_00,
        "status": "approved",
        "requested_at": "2026-03-01T12:00:00Z",
        "expires_at": "2026-03-01T13:00:00Z",
        "approver": "ada",
        "comment": "fine",
        "decided_at": "2026-03-01T12:00:00Z",
        "levels": 1,
        "decisions": [
            {
                "level": 1,
                "approved": True,
                "approver": "ada",
                "comment": "fine",
                "decided_at": "2026-03-01T12:00:00Z",
            }
        ],
    }


def test_a_reminder_changes_nothing() -> None:
    """The same request said again is known, also when all is decided."""
    reminder = request().model_copy(update={"reminder": True})

    for case in (asked(NOTHING), approved(asked(NOTHING)), cancelled(asked(NOTHING))):
        assert case.ask(reminder, NOON) == case


def test_a_reminder_serves_as_the_request_that_never_came() -> None:
    """Were the request lost, its reminder is as good."""
    case = NOTHING.ask(request().model_copy(update={"reminder": True}), NOON)

    assert case == asked(NOTHING)


def test_another_run_waits_until_its_own_deadline() -> None:
    """A later deadline, which a run begun again has, counts; the older request is no way back."""
    again = asked(NOTHING).ask(request(expires_at=LATER), NOON)

    assert again.status(DEADLINE) is ApprovalStatus.PENDING
    assert again.status(LATER) is ApprovalStatus.EXPIRED
    assert asked(again) == again


def test_another_run_is_told_the_decision_that_the_lost_one_took() -> None:
    """The engine may lose a run with the decision in it; the next run gets the same decision."""
    taken = approved(asked(NOTHING)).handed_over("taken", NOON)

    again = taken.ask(request(expires_at=LATER), NOON)

    assert again.undelivered == YES
    assert again.status(NOON) is ApprovalStatus.APPROVED
    assert asked(taken).undelivered is None


def test_what_has_ended_stays_ended_for_another_run() -> None:
    """A withdrawn request is not opened again."""
    ended = cancelled(asked(NOTHING))

    assert ended.ask(request(expires_at=LATER), NOON) == ended


MESSAGES: dict[str, Callable[[Case, datetime], Case]] = {
    "asked": lambda case, now: case.ask(request(), now),
    "approved": lambda case, now: case.decide(YES, now),
    "denied": lambda case, now: case.decide(NO, now),
    "cancelled": lambda case, now: case.withdraw(CANCELLED, now),
    "expired": lambda case, now: case.withdraw(EXPIRED, now),
    "taken": lambda case, now: case.handed_over("taken", now),
    "too late": lambda case, now: case.handed_over("too_late", now),
}


@given(st.lists(st.sampled_from(sorted(MESSAGES)), max_size=12), st.integers(0, 20))
def test_no_history_breaks_the_rules(history: list[str], minutes: int) -> None:
    """In any history the first decision stays, and what has ended never reads as decided."""
    case = NOTHING
    for step, name in enumerate(history):
        before = case
        try:
            case = MESSAGES[name](case, NOON + timedelta(minutes=minutes * step))
        except RefusedByRule:
            continue
        assert before.made is None or case.made is not None
        if before.made is not None and case.made is not None:
            assert case.made.decision == before.made.decision
        if before.ended is not None:
            assert case.ended is not None
            assert case.undelivered is None
            assert case.status(LATER) not in (ApprovalStatus.APPROVED, ApprovalStatus.DENIED)
