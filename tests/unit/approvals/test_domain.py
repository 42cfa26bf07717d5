from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.domain import (
    AlreadyDecided,
    ApprovalExpired,
    ApprovalNoLongerNeeded,
    Case,
    ConflictingRequest,
    RuleViolation,
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
EMPTY = Case("o-1")

Step = Callable[[Case], Case]


def request(total_cents: int = 60_000_00, expires_at: datetime = DEADLINE) -> ApprovalRequested:
    return ApprovalRequested(
        order_id="o-1",
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4), OrderLine(item="computers", quantity=1)),
        total_cents=total_cents,
        expires_at=expires_at,
    )


def requested(case: Case) -> Case:
    return case.add_request(request(), NOON)


def approved(case: Case) -> Case:
    return case.decide(YES, NOON)


def cancelled(case: Case) -> Case:
    return case.withdraw(CANCELLED, NOON)


def after(*steps: Step) -> Case:
    """Apply steps in sequence; one that violates a rule changes nothing."""
    case = EMPTY
    for step in steps:
        try:
            case = step(case)
        except RuleViolation:
            continue
    return case


def test_a_request_is_pending_until_its_deadline() -> None:
    """A request without a decision is pending, and expired from its deadline on."""
    case = requested(EMPTY)

    assert case.status(NOON) is ApprovalStatus.PENDING
    assert case.status(DEADLINE - timedelta(microseconds=1)) is ApprovalStatus.PENDING
    assert case.status(DEADLINE) is ApprovalStatus.EXPIRED


@pytest.mark.parametrize(
    ("decision", "status"), [(YES, ApprovalStatus.APPROVED), (NO, ApprovalStatus.DENIED)]
)
def test_a_decision_remains_valid_after_the_deadline(
    decision: Decision, status: ApprovalStatus
) -> None:
    """A decision made in time remains valid however late it is read."""
    case = requested(EMPTY).decide(decision, NOON)

    assert case.status(LATER) is status
    assert case.undelivered == decision


def test_a_decision_may_come_before_its_request() -> None:
    """An early decision is neither shown nor delivered until its request arrives."""
    early = approved(EMPTY)

    assert early.status(NOON) is None
    assert early.describe(NOON) is None
    assert early.undelivered is None
    assert requested(early).status(NOON) is ApprovalStatus.APPROVED
    assert requested(early).undelivered == YES


@pytest.mark.parametrize("steps", list(permutations([requested, approved, cancelled])))
def test_every_sequence_of_arrival_ends_as_withdrawn(steps: tuple[Step, ...]) -> None:
    """Whatever arrives first, a withdrawn request is withdrawn and has nothing to deliver."""
    case = after(*steps)

    assert case.status(LATER) is ApprovalStatus.WITHDRAWN
    assert case.undelivered is None


@pytest.mark.parametrize("steps", list(permutations([requested, requested, approved, approved])))
def test_repeated_messages_change_nothing(steps: tuple[Step, ...]) -> None:
    """Repeated messages change nothing, whatever their sequence."""
    assert after(*steps).describe(NOON) == after(requested, approved).describe(NOON)


def test_a_withdrawal_may_come_before_its_request() -> None:
    """A request that was withdrawn before it arrived is never pending."""
    case = requested(cancelled(EMPTY))

    assert case.status(NOON) is ApprovalStatus.WITHDRAWN
    with pytest.raises(ApprovalNoLongerNeeded):
        approved(case)


def test_the_first_decision_stands() -> None:
    """A different answer, approver or comment is a different decision."""
    case = approved(requested(EMPTY))

    for other in (
        NO,
        YES.model_copy(update={"approver": "eve"}),
        YES.model_copy(update={"comment": "well"}),
    ):
        with pytest.raises(AlreadyDecided, match="approved by ada"):
            case.decide(other, NOON)
    assert case.decide(YES, LATER) == case


def test_the_first_early_decision_stands() -> None:
    """The first decision stands even before its request arrives."""
    with pytest.raises(AlreadyDecided):
        approved(EMPTY).decide(NO, NOON)


def test_a_decision_by_topic_is_the_same_as_one_by_http() -> None:
    """The channel of a decision makes no difference."""
    case = approved(requested(EMPTY))
    by_topic = DecisionMade(order_id="o-1", **YES.model_dump())

    assert case.decide(by_topic, NOON) == case


def test_a_decision_after_the_deadline_is_rejected() -> None:
    """By this service's clock, a decision at or after the deadline is too late."""
    with pytest.raises(ApprovalExpired):
        requested(EMPTY).decide(YES, DEADLINE)


def test_a_decision_on_an_expired_request_is_rejected() -> None:
    """If orders reports the request as expired, the clock here does not matter."""
    with pytest.raises(ApprovalExpired):
        requested(EMPTY).withdraw(EXPIRED, NOON).decide(YES, NOON)


def test_an_early_decision_made_after_the_deadline_is_too_late() -> None:
    """A decision that arrived before its request, but after the deadline, is too late."""
    case = EMPTY.decide(YES, LATER).add_request(request(), LATER + timedelta(minutes=1))

    assert case.status(LATER) is ApprovalStatus.EXPIRED
    assert case.undelivered is None


def test_an_early_decision_in_time_is_valid_though_its_request_came_late() -> None:
    """The time of the decision matters, not the arrival of its request."""
    case = EMPTY.decide(YES, NOON).add_request(request(), LATER)

    assert case.status(LATER) is ApprovalStatus.APPROVED
    assert case.undelivered == YES


@pytest.mark.parametrize(
    ("withdrawal", "status"),
    [(EXPIRED, ApprovalStatus.EXPIRED), (CANCELLED, ApprovalStatus.WITHDRAWN)],
)
def test_a_withdrawal_overrules_a_decision(
    withdrawal: ApprovalWithdrawn, status: ApprovalStatus
) -> None:
    """The withdrawal prevails, and the overruled decision is still shown with its approver."""
    case = approved(requested(EMPTY)).withdraw(withdrawal, LATER)
    shown = case.describe(LATER)

    assert shown is not None
    assert (shown.status, shown.approver, shown.comment) == (status, "ada", "fine")
    assert case.final is not None
    assert case.final.outcome == "too_late"


def test_the_first_withdrawal_stands() -> None:
    """A second reason does not replace the first."""
    case = requested(EMPTY).withdraw(EXPIRED, LATER)

    assert case.withdraw(CANCELLED, LATER) == case


@pytest.mark.parametrize(
    ("answered_at", "status"),
    [(NOON, ApprovalStatus.WITHDRAWN), (LATER, ApprovalStatus.EXPIRED)],
)
def test_too_late_ends_the_approval(answered_at: datetime, status: ApprovalStatus) -> None:
    """The outcome `too_late` ends the approval, as expired if the deadline has passed."""
    case = approved(requested(EMPTY)).record_handover("too_late", answered_at)

    assert case.status(LATER) is status
    assert case.undelivered is None


def test_a_withdrawal_replaces_the_inferred_reason() -> None:
    """The published reason replaces the one inferred from the handover."""
    case = approved(requested(EMPTY)).record_handover("too_late", NOON).withdraw(EXPIRED, NOON)

    assert case.status(NOON) is ApprovalStatus.EXPIRED


def test_an_accepted_decision_ends_the_handover() -> None:
    """An accepted decision is not delivered again, and a second answer changes nothing."""
    case = approved(requested(EMPTY)).record_handover("taken", NOON)

    assert case.undelivered is None
    assert case.status(LATER) is ApprovalStatus.APPROVED
    assert case.record_handover("too_late", LATER) == case


def test_a_conflicting_request_is_rejected() -> None:
    """A different total is a conflict; a different sequence of lines is not."""
    case = requested(EMPTY)
    reordered = request().model_copy(update={"lines": request().lines[::-1]})

    with pytest.raises(ConflictingRequest):
        case.add_request(request(total_cents=1), NOON)
    assert case.add_request(reordered, LATER) == case


def test_an_approval_is_described_in_full() -> None:
    """The description has the request, the status and the decisions."""
    shown = approved(requested(EMPTY)).describe(LATER)

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
    """A reminder of a known request changes nothing, even after a decision."""
    reminder = request().model_copy(update={"reminder": True})

    for case in (requested(EMPTY), approved(requested(EMPTY)), cancelled(requested(EMPTY))):
        assert case.add_request(reminder, NOON) == case


def test_a_reminder_replaces_a_lost_request() -> None:
    """If the request was lost, its reminder has the same effect."""
    case = EMPTY.add_request(request().model_copy(update={"reminder": True}), NOON)

    assert case == requested(EMPTY)


def test_another_run_waits_until_its_own_deadline() -> None:
    """A restarted run's later deadline applies, and the older request does not undo it."""
    again = requested(EMPTY).add_request(request(expires_at=LATER), NOON)

    assert again.status(DEADLINE) is ApprovalStatus.PENDING
    assert again.status(LATER) is ApprovalStatus.EXPIRED
    assert requested(again) == again


def test_another_run_receives_the_decision_of_the_lost_run() -> None:
    """If the engine lost a run with its decision, the next run gets the same decision."""
    taken = approved(requested(EMPTY)).record_handover("taken", NOON)

    again = taken.add_request(request(expires_at=LATER), NOON)

    assert again.undelivered == YES
    assert again.status(NOON) is ApprovalStatus.APPROVED
    assert requested(taken).undelivered is None


def test_an_ended_request_stays_ended_for_another_run() -> None:
    """A withdrawn request is not reopened."""
    ended = cancelled(requested(EMPTY))

    assert ended.add_request(request(expires_at=LATER), NOON) == ended


MESSAGES: dict[str, Callable[[Case, datetime], Case]] = {
    "requested": lambda case, now: case.add_request(request(), now),
    "approved": lambda case, now: case.decide(YES, now),
    "denied": lambda case, now: case.decide(NO, now),
    "cancelled": lambda case, now: case.withdraw(CANCELLED, now),
    "expired": lambda case, now: case.withdraw(EXPIRED, now),
    "taken": lambda case, now: case.record_handover("taken", now),
    "too late": lambda case, now: case.record_handover("too_late", now),
}


@given(st.lists(st.sampled_from(sorted(MESSAGES)), max_size=12), st.integers(0, 20))
def test_no_sequence_breaks_the_rules(history: list[str], minutes: int) -> None:
    """In any sequence the first decision stands, and an ended request is never decided."""
    case = EMPTY
    for step, name in enumerate(history):
        before = case
        try:
            case = MESSAGES[name](case, NOON + timedelta(minutes=minutes * step))
        except RuleViolation:
            continue
        assert before.final is None or case.final is not None
        if before.final is not None and case.final is not None:
            assert case.final.decision == before.final.decision
        if before.ended is not None:
            assert case.ended is not None
            assert case.undelivered is None
            assert case.status(LATER) not in (ApprovalStatus.APPROVED, ApprovalStatus.DENIED)
