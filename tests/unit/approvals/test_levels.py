"""Two people must approve: the rule, one step after another and in any order of arrival."""

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
NOTHING = Case("o-1")
ASKED = NOTHING.ask(REQUEST, NOON)
ESCALATED = ASKED.decide(ADA, NOON)


def described(case: Case, at: datetime = NOON) -> Approval:
    approval = case.describe(at)
    assert approval is not None
    return approval


def test_one_approval_is_not_enough() -> None:
    """The first approval is kept and shown, and the request goes on waiting."""
    shown = described(ESCALATED)

    assert (shown.status, shown.levels) == (ApprovalStatus.PENDING, 2)
    assert (shown.approver, shown.comment, shown.decided_at) == (None, None, None)
    assert [(taken.level, taken.approver) for taken in shown.decisions] == [(1, "ada")]
    assert shown.approvals_missing == 1
    assert ESCALATED.is_escalated
    assert ESCALATED.undelivered is None


def test_a_second_person_concludes() -> None:
    """The second approval is what orders is told, and both are shown."""
    case = ESCALATED.decide(BOB, NOON)
    shown = described(case)

    assert (shown.status, shown.approver, shown.approvals_missing) == ("approved", "bob", 0)
    assert [(taken.level, taken.approver) for taken in shown.decisions] == [(1, "ada"), (2, "bob")]
    assert case.undelivered == BOB
    assert not case.is_escalated


def test_a_denial_concludes_at_any_level() -> None:
    """Nobody needs a second person to say no."""
    at_once, afterwards = ASKED.decide(BOB_DENIES, NOON), ESCALATED.decide(BOB_DENIES, NOON)

    for case, level in ((at_once, 1), (afterwards, 2)):
        assert case.status(NOON) is ApprovalStatus.DENIED
        assert case.undelivered == BOB_DENIES
        last = described(case).decisions[-1]
        assert (last.level, last.approved, last.approver) == (level, False, "bob")


@pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "ada "])
def test_one_person_counts_once(name: str) -> None:
    """However the name is written, the same person's approval is there already."""
    again = Decision(approved=True, approver=name, comment="once more")

    assert ESCALATED.decide(again, NOON) == ESCALATED
    with pytest.raises(DecisionStands, match="approved by ada"):
        ESCALATED.decide(Decision(approved=False, approver=name), NOON)


def test_what_is_concluded_stays() -> None:
    """Both approvals may come again; a third person, or a change of mind, comes too late."""
    case = ESCALATED.decide(BOB, NOON)

    assert case.decide(ADA, NOON) == case
    assert case.decide(BOB, NOON) == case
    for other in (ADA_DENIES, BOB_DENIES, Decision(approved=True, approver="eve")):
        with pytest.raises(DecisionStands):
            case.decide(other, NOON)


def test_an_early_approval_is_the_first_of_two() -> None:
    """An approval that was here before its request counts as one, and no more."""
    assert NOTHING.decide(ADA, NOON).ask(REQUEST, NOON) == ESCALATED


def test_an_early_denial_concludes() -> None:
    """A denial that was here before its request is the decision."""
    case = NOTHING.decide(BOB_DENIES, NOON).ask(REQUEST, NOON)

    assert case.undelivered == BOB_DENIES


def test_time_runs_out_while_the_second_is_waited_for() -> None:
    """The deadline holds for both; the first approval is no decision."""
    assert ESCALATED.status(DEADLINE) is ApprovalStatus.EXPIRED
    with pytest.raises(ApprovalExpired):
        ESCALATED.decide(BOB, DEADLINE)
    assert ESCALATED.decide(ADA, DEADLINE) == ESCALATED


def test_an_early_approval_of_after_the_deadline_does_not_count() -> None:
    """What came too late is too late for either level."""
    case = NOTHING.decide(ADA, DEADLINE).ask(REQUEST, DEADLINE)

    assert case.status(DEADLINE) is ApprovalStatus.EXPIRED
    assert case.undelivered is None
    with pytest.raises(ApprovalExpired):
        case.decide(BOB, DEADLINE)


def test_a_withdrawal_ends_the_wait_for_the_second() -> None:
    """An order that was cancelled wants nobody's decision any more."""
    case = ESCALATED.withdraw(CANCELLED, NOON)

    assert case.status(NOON) is ApprovalStatus.WITHDRAWN
    assert not case.is_escalated
    with pytest.raises(ApprovalNotWanted):
        case.decide(BOB, NOON)


def test_the_levels_belong_to_the_request() -> None:
    """A request that wants another number of approvals is another request."""
    with pytest.raises(OtherRequest):
        ASKED.ask(REQUEST.model_copy(update={"levels": 1}), NOON)


def test_a_reminder_leaves_the_first_approval_as_it_is() -> None:
    """Asking again does not begin anew."""
    assert ESCALATED.ask(REQUEST.model_copy(update={"reminder": True}), NOON) == ESCALATED


Step = Callable[[Case, datetime], Case]

STEPS: dict[str, Step] = {
    "asked": lambda case, now: case.ask(REQUEST, now),
    "ada approves": lambda case, now: case.decide(ADA, now),
    "ADA approves": lambda case, now: case.decide(
        ADA.model_copy(update={"approver": "ADA", "comment": ""}), now
    ),
    "bob approves": lambda case, now: case.decide(BOB, now),
    "ada denies": lambda case, now: case.decide(ADA_DENIES, now),
    "bob denies": lambda case, now: case.decide(BOB_DENIES, now),
    "cancelled": lambda case, now: case.withdraw(CANCELLED, now),
    "taken": lambda case, now: case.handed_over("taken", now),
    "too late": lambda case, now: case.handed_over("too_late", now),
}


@pytest.mark.parametrize("steps", list(permutations(["asked", "ada approves", "cancelled"])))
def test_every_order_of_arrival_reads_the_same(steps: tuple[str, ...]) -> None:
    """Whatever comes first, a withdrawn order reads as withdrawn, without a conclusion."""
    case = NOTHING
    for name in steps:
        try:
            case = STEPS[name](case, NOON)
        except RefusedByRule:
            continue

    assert described(case).status is ApprovalStatus.WITHDRAWN
    assert described(case).approver is None
    assert case.undelivered is None


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=14), st.integers(0, 20))
def test_no_history_approves_by_one_person(history: list[str], minutes: int) -> None:
    """In any history an approval has two people behind it, and nothing that was taken changes."""
    case = NOTHING
    for step, name in enumerate(history):
        before, now = case, NOON + timedelta(minutes=minutes * step)
        try:
            case = STEPS[name](case, now)
        except RefusedByRule:
            assert case == before
            continue
        if before.endorsed is not None:
            assert case.endorsed == before.endorsed
        if before.asked is not None and before.made is not None and case.made is not None:
            assert case.made.decision == before.made.decision
        if case.asked is None:
            continue
        shown = described(case, now)
        assert shown.approvals_missing in (0, 1, 2)
        assert [taken.level for taken in shown.decisions] == [1, 2][: len(shown.decisions)]
        if shown.status is ApprovalStatus.APPROVED:
            people = {taken.approver.casefold() for taken in shown.decisions if taken.approved}
            assert people == {"ada", "bob"}
        if case.undelivered is not None and case.undelivered.approved:
            assert case.endorsed is not None
        assert STEPS["asked"](case, now) == case
