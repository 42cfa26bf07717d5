"""The rule of two approvals, step by step and in any sequence of arrival."""

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
    Approval,
    ApprovalRequested,
    ApprovalStatus,
    ApprovalWithdrawn,
    Decision,
)
from orderflow_contracts.orders import OrderLine

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEADLINE = NOON + timedelta(hours=1)
REQUEST = ApprovalRequested(
    order_id="o-1",
    customer_id="carol",
    lines=(OrderLine(item="cars", quantity=40),),
    total_cents=600_000_00,
    expires_at=DEADLINE,
    levels=2,
)
ADA = Decision(approved=True, approver="ada", comment="fine")
BOB = Decision(approved=True, approver="bob")
ADA_DENIES = Decision(approved=False, approver="ada")
BOB_DENIES = Decision(approved=False, approver="bob", comment="too much")
CANCELLED = ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request")
EMPTY = Case("o-1")
REQUESTED = EMPTY.add_request(REQUEST, NOON)
ESCALATED = REQUESTED.decide(ADA, NOON)


def described(case: Case, at: datetime = NOON) -> Approval:
    approval = case.describe(at)
    assert approval is not None
    return approval


def test_one_approval_is_not_enough() -> None:
    """The first approval is stored and shown, and the request stays pending."""
    shown = described(ESCALATED)

    assert (shown.status, shown.levels) == (ApprovalStatus.PENDING, 2)
    assert (shown.approver, shown.comment, shown.decided_at) == (None, None, None)
    assert [(each.level, each.approver) for each in shown.decisions] == [(1, "ada")]
    assert shown.approvals_missing == 1
    assert ESCALATED.is_escalated
    assert ESCALATED.undelivered is None


def test_a_second_approval_is_final() -> None:
    """The second approval is delivered to orders, and both are shown."""
    case = ESCALATED.decide(BOB, NOON)
    shown = described(case)

    assert (shown.status, shown.approver, shown.approvals_missing) == ("approved", "bob", 0)
    assert [(each.level, each.approver) for each in shown.decisions] == [(1, "ada"), (2, "bob")]
    assert case.undelivered == BOB
    assert not case.is_escalated


def test_a_denial_is_final_at_any_level() -> None:
    """A denial needs no second person."""
    immediate, after_approval = (
        REQUESTED.decide(BOB_DENIES, NOON),
        ESCALATED.decide(BOB_DENIES, NOON),
    )

    for case, level in ((immediate, 1), (after_approval, 2)):
        assert case.status(NOON) is ApprovalStatus.DENIED
        assert case.undelivered == BOB_DENIES
        last = described(case).decisions[-1]
        assert (last.level, last.approved, last.approver) == (level, False, "bob")


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "ada "])
def test_one_person_counts_once(name: str) -> None:
    """A second approval by the same person changes nothing, however the name is written."""
    again = Decision(approved=True, approver=name, comment="once more")

    assert ESCALATED.decide(again, NOON) == ESCALATED
    with pytest.raises(AlreadyDecided, match="approved by ada"):
        ESCALATED.decide(Decision(approved=False, approver=name), NOON)


def test_a_conclusion_is_final() -> None:
    """Both approvals may be repeated; a third or changed decision is rejected."""
    case = ESCALATED.decide(BOB, NOON)

    assert case.decide(ADA, NOON) == case
    assert case.decide(BOB, NOON) == case
    for other in (ADA_DENIES, BOB_DENIES, Decision(approved=True, approver="eve")):
        with pytest.raises(AlreadyDecided):
            case.decide(other, NOON)


def test_an_early_approval_is_the_first_of_two() -> None:
    """An approval that arrives before its request counts as the first of two."""
    assert EMPTY.decide(ADA, NOON).add_request(REQUEST, NOON) == ESCALATED


def test_an_early_denial_is_final() -> None:
    """A denial that arrives before its request is the final decision."""
    case = EMPTY.decide(BOB_DENIES, NOON).add_request(REQUEST, NOON)

    assert case.undelivered == BOB_DENIES


def test_a_request_with_one_approval_can_expire() -> None:
    """The deadline applies to both approvals."""
    assert ESCALATED.status(DEADLINE) is ApprovalStatus.EXPIRED
    with pytest.raises(ApprovalExpired):
        ESCALATED.decide(BOB, DEADLINE)
    assert ESCALATED.decide(ADA, DEADLINE) == ESCALATED


def test_an_early_approval_after_the_deadline_is_too_late() -> None:
    """A late approval is too late at either level."""
    case = EMPTY.decide(ADA, DEADLINE).add_request(REQUEST, DEADLINE)

    assert case.status(DEADLINE) is ApprovalStatus.EXPIRED
    assert case.undelivered is None
    with pytest.raises(ApprovalExpired):
        case.decide(BOB, DEADLINE)


def test_a_withdrawal_ends_the_wait_for_a_second_approval() -> None:
    """A cancelled order no longer needs a decision."""
    case = ESCALATED.withdraw(CANCELLED, NOON)

    assert case.status(NOON) is ApprovalStatus.WITHDRAWN
    assert not case.is_escalated
    with pytest.raises(ApprovalNoLongerNeeded):
        case.decide(BOB, NOON)


def test_the_levels_belong_to_the_request() -> None:
    """A request with a different number of approvals is a conflict."""
    with pytest.raises(ConflictingRequest):
        REQUESTED.add_request(REQUEST.model_copy(update={"levels": 1}), NOON)


def test_a_reminder_keeps_the_first_approval() -> None:
    """A reminder does not start the approval again."""
    assert ESCALATED.add_request(REQUEST.model_copy(update={"reminder": True}), NOON) == ESCALATED


Step = Callable[[Case, datetime], Case]

STEPS: dict[str, Step] = {
    "requested": lambda case, now: case.add_request(REQUEST, now),
    "ada approves": lambda case, now: case.decide(ADA, now),
    "ADA approves": lambda case, now: case.decide(
        ADA.model_copy(update={"approver": "ADA", "comment": ""}), now
    ),
    "bob approves": lambda case, now: case.decide(BOB, now),
    "ada denies": lambda case, now: case.decide(ADA_DENIES, now),
    "bob denies": lambda case, now: case.decide(BOB_DENIES, now),
    "cancelled": lambda case, now: case.withdraw(CANCELLED, now),
    "taken": lambda case, now: case.record_handover("taken", now),
    "too late": lambda case, now: case.record_handover("too_late", now),
}


@pytest.mark.parametrize("steps", list(permutations(["requested", "ada approves", "cancelled"])))
def test_every_sequence_of_arrival_has_the_same_result(steps: tuple[str, ...]) -> None:
    """Whatever arrives first, a withdrawn request is withdrawn without a decision."""
    case = EMPTY
    for name in steps:
        try:
            case = STEPS[name](case, NOON)
        except RuleViolation:
            continue

    assert described(case).status is ApprovalStatus.WITHDRAWN
    assert described(case).approver is None
    assert case.undelivered is None


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=14), st.integers(0, 20))
def test_no_sequence_approves_by_one_person(history: list[str], minutes: int) -> None:
    """In any sequence an approval needs two people, and recorded decisions never change."""
    case = EMPTY
    for step, name in enumerate(history):
        before, now = case, NOON + timedelta(minutes=minutes * step)
        try:
            case = STEPS[name](case, now)
        except RuleViolation:
            assert case == before
            continue
        if before.first_approval is not None:
            assert case.first_approval == before.first_approval
        if before.received is not None and before.final is not None and case.final is not None:
            assert case.final.decision == before.final.decision
        if case.received is None:
            continue
        shown = described(case, now)
        assert shown.approvals_missing in (0, 1, 2)
        assert [each.level for each in shown.decisions] == [1, 2][: len(shown.decisions)]
        if shown.status is ApprovalStatus.APPROVED:
            people = {each.approver.casefold() for each in shown.decisions if each.approved}
            assert people == {"ada", "bob"}
        if case.undelivered is not None and case.undelivered.approved:
            assert case.first_approval is not None
        assert STEPS["requested"](case, now) == case
