"""The order workflow through every branch: its steps, their order, and its end."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow import TaskFailedError

from fakes.workflow_run import STARTED_AT, ChildEnds, Event, Happening, TimerFires, WorkflowRun
from orderflow_contracts.orders import OrderLine
from orders.ordering.messages import OrderRun, Recorded
from orders.ordering.steps import Charged, Confirmed, Verified
from orders.ordering.workflow import order_processing_workflow

THRESHOLD = 50_000_00
LARGE = THRESHOLD + 1
PATIENCE = 3600.0

RUN = OrderRun(
    order_id="order-1",
    run_id="run-1",
    customer_id="alice",
    lines=(OrderLine(item="cars", quantity=11),),
    received_at=datetime(2026, 3, 1, 11, 59, 59, tzinfo=UTC),
    approval_threshold_cents=THRESHOLD,
    approval_timeout_seconds=PATIENCE,
    retry_timeout_seconds=60,
)

REMINDED = RUN.model_copy(update={"approval_reminder_after": 0.25})

NOTIFY = "notify_activity"
VERIFY = "verify_inventory_activity"
REQUEST = "request_approval_activity"
PAY = "process_payment_activity"
UPDATE = "update_inventory_activity"
RELEASE = "release_inventory_activity"
REFUND = "refund_payment_activity"
WITHDRAW = "withdraw_approval_activity"
REMIND = "remind_of_approval_activity"
CONFIRM = "confirm_decision_activity"

APPROVED = Event("approval_decided", {"approved": True, "approver": "bob", "comment": "fine"})
DENIED = Event("approval_decided", {"approved": False, "approver": "bob", "comment": "no"})
CANCEL = Event("cancel_requested")
DOWN = ConnectionError("does not answer")

Answers = Mapping[str, object]
"""Results by activity name, or by `notify:<status>` for one status."""

BEGIN = [VERIFY]
ASK = [*BEGIN, REQUEST]
AGREED = [*ASK, CONFIRM]

NO_DECISION = Event("approval_decided", "no decision")

every_version = pytest.mark.parametrize("is_old", [False, True], ids=["new", "of-earlier-version"])
"""Runs of this version, and those of earlier versions, which replay what they did there."""


def done_by(is_old: bool, expected: list[str], happenings: Iterable[Happening]) -> list[str]:  # noqa: FBT001 # tests give it by position
    """Return the steps that a run of this version, or of an earlier one, takes.

    Earlier versions published `received` in the workflow, took the event for the decision, and
    recorded the approval in a step of its own.
    """
    if not is_old:
        return expected
    recorded = ["notify:approved"] if APPROVED in happenings else []
    later = [each for step in expected for each in (recorded if step == CONFIRM else [step])]
    return ["notify:received", *later]


def on_record(event: Event) -> Confirmed:
    """Return what is on record when this event arrives: what the event says."""
    if event == CANCEL:
        return Confirmed(outcome="open", cancelled=True)
    if not isinstance(event.data, dict):
        return Confirmed(outcome="open")
    return Confirmed(outcome="approved" if event.data["approved"] else "denied")


def reserved(total: int = LARGE, **recorded: bool) -> Verified:
    return Verified(outcome="reserved", total_cents=total, **recorded)


def refused(reason: str) -> dict[str, object]:
    return {"outcome": "rejected", "reason": reason}


def start(
    answers: Answers,
    happenings: Iterable[Happening] = (),
    early: Iterable[Event] = (),
    run: OrderRun = RUN,
    *,
    is_old: bool = False,
) -> WorkflowRun:
    """Prepare a run of a large order whose steps all succeed except for the given results.

    Unless a result is given, what each event says is on record as it arrives.
    """
    happenings = list(happenings)
    raised = [each for each in (*early, *happenings) if isinstance(each, Event)]
    recorded = deque(on_record(each) for each in raised)
    run = run.model_copy(update={"is_checked": not is_old})
    if is_old and CONFIRM in answers:
        answers = {**answers, "notify:approved": answers[CONFIRM]}
    usual: dict[str, object] = {
        NOTIFY: Recorded(),
        VERIFY: reserved(),
        REQUEST: Recorded(),
        PAY: Charged(outcome="paid"),
        UPDATE: {"cars": 89},
        "hand_to_warehouse_activity": Recorded(),
    }

    async def answer(name: str, payload: Any) -> object:
        step = f"{name.removesuffix('_activity')}:{payload['status']}" if name == NOTIFY else name
        if name == CONFIRM and CONFIRM not in answers:
            return recorded.popleft()
        result = {**usual, **answers}.get(step, {**usual, **answers}.get(name))
        if isinstance(result, Exception):
            raise result
        return result

    return WorkflowRun(order_processing_workflow, run, answer, happenings=happenings, early=early)


def steps(run: WorkflowRun) -> list[str]:
    return [
        f"notify:{call.input['status']}" if call.name == NOTIFY else call.name for call in run.calls
    ]


GOOD: list[Any] = [
    pytest.param(
        {VERIFY: reserved(100_00)}, [], [*BEGIN, PAY, UPDATE, "notify:completed"], id="small"
    ),
    pytest.param(
        {VERIFY: reserved(THRESHOLD)},
        [],
        [*BEGIN, PAY, UPDATE, "notify:completed"],
        id="just-the-threshold",
    ),
    pytest.param(
        {}, [APPROVED], [*AGREED, PAY, UPDATE, "notify:completed"], id="large-and-approved"
    ),
]

ENDINGS: list[Any] = [
    # results of activities | events during the wait | steps after the start | status, reason
    *(
        pytest.param({VERIFY: refused(reason)}, [], BEGIN, [], f"rejected:{reason}", id=reason)
        for reason in ("unknown_item", "out_of_stock", "released")
    ),
    pytest.param({}, [DENIED], AGREED, [RELEASE], "rejected:denied", id="denied"),
    pytest.param(
        {}, [TimerFires()], ASK, [WITHDRAW, RELEASE], "rejected:approval_expired", id="expired"
    ),
    pytest.param(
        {PAY: Charged(outcome="declined")},
        [APPROVED],
        [*AGREED, PAY],
        [RELEASE],
        "rejected:payment_declined",
        id="declined",
    ),
    pytest.param(
        {VERIFY: reserved(cancelled=True)},
        [],
        BEGIN,
        [RELEASE],
        "cancelled:cancelled_on_request",
        id="cancelled-when-reserved",
    ),
    pytest.param(
        {REQUEST: Recorded(cancelled=True)},
        [],
        ASK,
        [WITHDRAW, RELEASE],
        "cancelled:cancelled_on_request",
        id="cancelled-when-asked",
    ),
    pytest.param(
        {},
        [CANCEL],
        AGREED,
        [WITHDRAW, RELEASE],
        "cancelled:cancelled_on_request",
        id="cancelled-while-waiting",
    ),
    pytest.param(
        {CONFIRM: Confirmed(outcome="approved", cancelled=True)},
        [APPROVED],
        AGREED,
        [RELEASE],
        "cancelled:cancelled_on_request",
        id="cancelled-when-approved",
    ),
    pytest.param(
        {PAY: Charged(outcome="paid", cancelled=True)},
        [APPROVED],
        [*AGREED, PAY],
        [REFUND, RELEASE],
        "cancelled:cancelled_on_request",
        id="cancelled-when-paid",
    ),
    pytest.param(
        {VERIFY: DOWN}, [], BEGIN, [RELEASE], "failed:inventory_unavailable", id="verify-fails"
    ),
    pytest.param(
        {REQUEST: DOWN},
        [],
        ASK,
        [WITHDRAW, RELEASE],
        "failed:approval_unavailable",
        id="request-fails",
    ),
    pytest.param(
        {PAY: DOWN},
        [APPROVED],
        [*AGREED, PAY],
        [REFUND, RELEASE],
        "failed:payment_unavailable",
        id="payment-fails",
    ),
    pytest.param(
        {UPDATE: DOWN},
        [APPROVED],
        [*AGREED, PAY, UPDATE],
        [REFUND, RELEASE],
        "failed:inventory_unavailable",
        id="update-fails",
    ),
    pytest.param(
        {UPDATE: DOWN, REFUND: DOWN},
        [APPROVED],
        [*AGREED, PAY, UPDATE],
        [REFUND, RELEASE],
        "needs_attention:undo_failed",
        id="refund-fails-too",
    ),
    pytest.param(
        {UPDATE: DOWN, REFUND: DOWN, RELEASE: DOWN},
        [APPROVED],
        [*AGREED, PAY, UPDATE],
        [REFUND, RELEASE],
        "needs_attention:undo_failed",
        id="every-undo-fails",
    ),
    pytest.param(
        {WITHDRAW: DOWN},
        [TimerFires()],
        ASK,
        [WITHDRAW, RELEASE],
        "needs_attention:undo_failed",
        id="withdrawal-fails",
    ),
    pytest.param(
        {RELEASE: DOWN},
        [DENIED],
        AGREED,
        [RELEASE],
        "needs_attention:undo_failed",
        id="release-fails",
    ),
]


@every_version
@pytest.mark.parametrize(("answers", "happenings", "expected"), GOOD)
async def test_an_order_completes_in_the_expected_steps(
    answers: Answers, happenings: list[Event], expected: list[str], *, is_old: bool
) -> None:
    """It is reserved, approved if large, paid and shipped."""
    run = start(answers, happenings, is_old=is_old)

    result = await run.run_to_end()

    assert steps(run) == done_by(is_old, expected, happenings)
    assert result == {"order_id": "order-1", "status": "completed", "reason": None}


@every_version
@pytest.mark.parametrize(("happening", "asked"), [(CANCEL, AGREED), (TimerFires(), ASK)])
async def test_a_restarted_run_refunds_the_lost_runs_payment(
    happening: Happening, asked: list[str], *, is_old: bool
) -> None:
    """The lost run may have been paid; if this one fails, the refund comes last."""
    again = RUN.model_copy(update={"begun_again": True})
    run = start({}, [happening], run=again, is_old=is_old)

    await run.run_to_end()

    undone = [WITHDRAW, RELEASE, REFUND]
    assert steps(run)[:-1] == done_by(is_old, [*asked, *undone], [happening])


@every_version
async def test_a_restarted_run_can_complete(*, is_old: bool) -> None:
    """Every step is idempotent, so the order completes as if nothing had been lost."""
    run = start({}, [APPROVED], run=RUN.model_copy(update={"begun_again": True}), is_old=is_old)

    await run.run_to_end()

    whole = [*AGREED, PAY, UPDATE, "notify:completed"]
    assert steps(run) == done_by(is_old, whole, [APPROVED])


async def test_a_restarted_run_that_pays_refunds_once() -> None:
    """The refund takes the usual place of this run's own payment."""
    run = start({UPDATE: DOWN}, [APPROVED], run=RUN.model_copy(update={"begun_again": True}))

    await run.run_to_end()

    assert steps(run).count(REFUND) == 1


@every_version
@pytest.mark.parametrize(("answers", "happenings", "done", "undone", "ending"), ENDINGS)
async def test_every_failure_is_rolled_back_newest_first(
    answers: Answers,
    happenings: list[Event | TimerFires],
    done: list[str],
    undone: list[str],
    ending: str,
    *,
    is_old: bool,
) -> None:
    """Whatever stops an order, its end is published once."""
    status, reason = ending.split(":")
    run = start(answers, happenings, is_old=is_old)

    result = await run.run_to_end()

    whole = [*done, *undone, f"notify:{status}"]
    assert steps(run) == done_by(is_old, whole, happenings)
    assert run.calls[-1].input["reason"] == reason
    assert result == {"order_id": "order-1", "status": status, "reason": reason}


@pytest.mark.parametrize(("is_old", "undone"), [(False, [WITHDRAW, RELEASE]), (True, [RELEASE])])
async def test_a_decision_that_cannot_be_read_or_recorded_fails_the_order(
    undone: list[str], *, is_old: bool
) -> None:
    """A request is withdrawn as well if it is not known whether it was decided."""
    run = start({CONFIRM: DOWN}, [APPROVED], is_old=is_old)

    result = await run.run_to_end()

    whole = [*AGREED, *undone, "notify:failed"]
    assert steps(run) == done_by(is_old, whole, [APPROVED])
    assert result == {"order_id": "order-1", "status": "failed", "reason": "approval_unavailable"}


async def test_an_order_whose_first_status_cannot_be_published_fails() -> None:
    """Nothing stays reserved by a run of an earlier version; others do not publish it."""
    run = start({"notify:received": DOWN}, is_old=True)

    result = await run.run_to_end()

    assert result["status"] == "failed"
    assert steps(run)[-1] == "notify:failed"
    assert not {REQUEST, PAY, UPDATE} & set(steps(run))


@every_version
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({VERIFY: reserved(superseded=True)}, BEGIN, id="reserved"),
        pytest.param({REQUEST: Recorded(superseded=True)}, ASK, id="asked"),
        pytest.param(
            {CONFIRM: Confirmed(outcome="approved", superseded=True)}, AGREED, id="approved"
        ),
        pytest.param({PAY: Charged(outcome="paid", superseded=True)}, [*AGREED, PAY], id="paid"),
    ],
)
async def test_a_superseded_run_stops_silently(
    answers: Answers, expected: list[str], *, is_old: bool
) -> None:
    """A second run of an order that another run owns neither goes on nor compensates."""
    run = start(answers, [APPROVED], is_old=is_old)

    result = await run.run_to_end()

    assert steps(run) == done_by(is_old, expected, [APPROVED])
    assert result["status"] == "superseded"


async def test_a_run_that_is_superseded_at_its_end_says_so() -> None:
    """If its end was not recorded, its output does not claim that end."""
    run = start({VERIFY: refused("released"), "notify:rejected": Recorded(superseded=True)})

    assert (await run.run_to_end())["status"] == "superseded"


@every_version
async def test_an_early_decision_is_not_lost(*, is_old: bool) -> None:
    """The engine buffers the event, so the wait ends at once."""
    run = start({}, early=[APPROVED], is_old=is_old)

    assert (await run.run_to_end())["status"] == "completed"


@every_version
async def test_a_decision_takes_precedence_over_later_events(*, is_old: bool) -> None:
    """Neither the timer nor a cancellation overrules it."""
    run = start({}, early=[DENIED, CANCEL], is_old=is_old)

    assert (await run.run_to_end())["reason"] == "denied"


@every_version
async def test_a_reminder_repeats_the_request_and_the_wait_goes_on(*, is_old: bool) -> None:
    """After its part of the time the same request is published again, and then decided."""
    run = start({}, [TimerFires(), APPROVED], run=REMINDED, is_old=is_old)

    result = await run.run_to_end()

    whole = [*ASK, REMIND, CONFIRM, PAY, UPDATE, "notify:completed"]
    assert steps(run) == done_by(is_old, whole, [APPROVED])
    assert result["status"] == "completed"
    assert run.timers == [timedelta(seconds=PATIENCE), timedelta(seconds=PATIENCE / 4)]
    inputs = {call.name: call.input for call in run.calls}
    assert inputs[REMIND] == inputs[REQUEST]


@every_version
@pytest.mark.parametrize(
    ("happenings", "ending"),
    [
        ([TimerFires(), APPROVED], "completed"),
        ([TimerFires(), DENIED], "rejected"),
        ([TimerFires(), CANCEL], "cancelled"),
        ([TimerFires(), TimerFires()], "rejected"),
        ([TimerFires(), NO_DECISION, APPROVED], "completed"),
        ([NO_DECISION, TimerFires(), APPROVED], "completed"),
    ],
)
async def test_a_failed_reminder_does_not_matter(
    happenings: list[Event | TimerFires], ending: str, *, is_old: bool
) -> None:
    """The wait ends as it would have without it."""
    for answers in ({}, {REMIND: DOWN}):
        run = start(answers, happenings, run=REMINDED, is_old=is_old)

        assert (await run.run_to_end())["status"] == ending
        assert steps(run).count(REMIND) == 1


async def test_a_decision_in_time_needs_no_reminder() -> None:
    """After an early decision no reminder is sent."""
    run = start({}, [APPROVED], run=REMINDED)

    await run.run_to_end()

    assert REMIND not in steps(run)


@every_version
async def test_a_run_of_an_earlier_version_replays_unchanged(*, is_old: bool) -> None:
    """Without the newer fields it sets one timer, needs one approver and sends no reminder."""
    newer = {"approval_reminder_after", "second_approval_threshold_cents"}
    older = OrderRun.model_validate(RUN.model_dump(mode="json", exclude=newer))
    run = start({}, [TimerFires()], run=older, is_old=is_old)

    result = await run.run_to_end()

    assert run.timers == [timedelta(seconds=PATIENCE)]
    whole = [*ASK, WITHDRAW, RELEASE, "notify:rejected"]
    assert steps(run) == done_by(is_old, whole, [TimerFires()])
    assert result["reason"] == "approval_expired"


@pytest.mark.parametrize(("total", "levels"), [(LARGE, 1), (2 * LARGE, 1), (2 * LARGE + 1, 2)])
async def test_a_total_above_the_second_threshold_needs_two_approvals(
    total: int, levels: int
) -> None:
    """The request gives the number; the workflow still waits for one decision."""
    two_levels = RUN.model_copy(update={"second_approval_threshold_cents": 2 * LARGE})
    run = start({VERIFY: reserved(total)}, [APPROVED], run=two_levels)

    assert (await run.run_to_end())["status"] == "completed"

    assert [call.input["levels"] for call in run.calls if call.name == REQUEST] == [levels]


async def test_an_end_that_cannot_be_published_fails_the_workflow() -> None:
    """After a day of retries the engine shows the failure."""
    run = start({VERIFY: reserved(1), "notify:completed": DOWN})

    with pytest.raises(TaskFailedError, match="notify_activity"):
        await run.run_to_end()


@every_version
async def test_a_replay_calls_the_same_activities(*, is_old: bool) -> None:
    """Their inputs are the same, too."""
    runs = [start({UPDATE: DOWN, REFUND: DOWN}, [APPROVED], is_old=is_old) for _ in range(2)]
    for run in runs:
        await run.run_to_end()

    first, second = ([(call.name, call.input) for call in run.calls] for run in runs)
    assert first == second


async def test_each_activity_gets_its_input() -> None:
    """Order, run, lines, amount and deadline are passed on."""
    run = start({}, [APPROVED])
    await run.run_to_end()

    inputs = {call.name: call.input for call in run.calls}
    assert inputs[VERIFY] == {
        "order_id": "order-1",
        "run_id": "run-1",
        "lines": [{"item": "cars", "quantity": 11}],
    }
    deadline = (STARTED_AT + timedelta(seconds=PATIENCE)).isoformat()
    assert inputs[REQUEST] == {
        "order_id": "order-1",
        "run_id": "run-1",
        "customer_id": "alice",
        "lines": [{"item": "cars", "quantity": 11}],
        "total_cents": LARGE,
        "expires_at": f"{deadline}Z",
        "levels": 1,
        "batch_id": None,
    }
    assert inputs[CONFIRM] == {"order_id": "order-1", "run_id": "run-1", "total_cents": LARGE}
    assert inputs[PAY]["amount_cents"] == LARGE
    assert inputs[UPDATE] == {"order_id": "order-1"}
    assert inputs[NOTIFY]["status"] == "completed"
    assert inputs[NOTIFY]["total_cents"] == LARGE
    assert run.timers == [timedelta(seconds=PATIENCE)]


async def test_each_compensation_gets_the_reason() -> None:
    """Its input has the order and the run as well."""
    run = start({}, [TimerFires()])
    await run.run_to_end()

    undoing = [call.input for call in run.calls if call.name in {WITHDRAW, RELEASE}]
    expected = {"order_id": "order-1", "run_id": "run-1", "reason": "approval_expired"}
    assert undoing == [expected, expected]


async def test_every_activity_has_its_retry_policy() -> None:
    """Steps use the run's setting; compensations have an hour, statuses and decisions a day."""
    run = start({UPDATE: DOWN}, [APPROVED])
    await run.run_to_end()

    patience = {call.name: call.retry.retry_timeout for call in run.calls}
    assert patience == {
        NOTIFY: timedelta(hours=24),
        VERIFY: timedelta(seconds=60),
        REQUEST: timedelta(seconds=60),
        CONFIRM: timedelta(hours=24),
        PAY: timedelta(seconds=60),
        UPDATE: timedelta(seconds=60),
        REFUND: timedelta(hours=1),
        RELEASE: timedelta(hours=1),
    }
    for call in run.calls:
        assert call.retry.max_number_of_attempts > 100
        assert (call.retry.backoff_coefficient or 0) > 1
        assert call.retry.first_retry_interval < timedelta(seconds=1)


# Picking

HAND = "hand_to_warehouse_activity"
TAKE_BACK = "withdraw_task_activity"
AWAITED = RUN.model_copy(update={"picking": "awaited", "picking_timeout_seconds": 60})
HANDED = RUN.model_copy(update={"picking": "handed_over"})
UNPICKED = [TAKE_BACK, REFUND, RELEASE]


def ended(status: str) -> ChildEnds:
    return ChildEnds({"task_id": "pick-order-1", "status": status, "completed_at": ""})


async def test_an_input_of_an_earlier_version_has_no_picking() -> None:
    """Running instances go on without a task."""
    old = RUN.model_dump(mode="json", exclude={"picking", "picking_timeout_seconds"})

    assert OrderRun.model_validate(old).picking == "off"


async def test_an_order_waits_for_its_task() -> None:
    """The stock is shipped once the warehouse has picked it."""
    run = start({}, [APPROVED, ended("completed")], run=AWAITED)

    result = await run.run_to_end()

    assert result["status"] == "completed"
    assert steps(run) == [*AGREED, PAY, UPDATE, "notify:completed"]
    (child,) = run.children
    assert (child.name, child.instance_id) == ("task_processing_workflow", "pick.order-1")
    assert child.input == {
        "task_id": "pick-order-1",
        "title": "Pick 11 cars for order order-1",
        "assignee": "",
        "order_id": "order-1",
        "timeout_seconds": 60.0,
    }


@pytest.mark.parametrize(
    ("happening", "ending"),
    [
        (ended("timed_out"), "failed:picking_timed_out"),
        (ended("rejected"), "failed:picking_unavailable"),
        (ended("withdrawn"), "failed:picking_unavailable"),
        (ChildEnds(error="nobody takes it"), "failed:picking_unavailable"),
    ],
)
async def test_an_order_that_is_not_picked_is_rolled_back(
    happening: Happening, ending: str
) -> None:
    """The task is withdrawn first, then payment and stock; also for an approved order."""
    status, reason = ending.split(":")
    run = start({}, [APPROVED, happening], run=AWAITED)

    result = await run.run_to_end()

    assert result == {"order_id": "order-1", "status": status, "reason": reason}
    assert steps(run) == [*AGREED, PAY, *UNPICKED, f"notify:{status}"]


@every_version
async def test_an_order_that_is_cancelled_while_it_is_picked_is_rolled_back(
    *, is_old: bool
) -> None:
    """A run of this version reads whether that is on record; earlier ones believed the event."""
    on_record = {"notify:paid": Recorded(cancelled=True)}
    run = start(on_record, [APPROVED, CANCEL], run=AWAITED, is_old=is_old)

    result = await run.run_to_end()

    status, reason = "cancelled", "cancelled_on_request"
    assert result == {"order_id": "order-1", "status": status, "reason": reason}
    read = [] if is_old else ["notify:paid"]
    whole = [*AGREED, PAY, *read, *UNPICKED, f"notify:{status}"]
    assert steps(run) == done_by(is_old, whole, [APPROVED])


async def test_an_order_does_not_wait_for_a_handed_over_task() -> None:
    """The order completes while the task is open."""
    run = start({}, [APPROVED], run=HANDED)

    assert (await run.run_to_end())["status"] == "completed"
    assert steps(run) == [*AGREED, PAY, HAND, UPDATE, "notify:completed"]
    assert run.children == []


@pytest.mark.parametrize(
    ("answers", "undone", "ending"),
    [
        ({HAND: DOWN}, UNPICKED, "failed:picking_unavailable"),
        ({HAND: Recorded(cancelled=True)}, UNPICKED, "cancelled:cancelled_on_request"),
        ({UPDATE: DOWN}, [UPDATE, *UNPICKED], "failed:inventory_unavailable"),
    ],
)
async def test_a_handed_over_task_is_withdrawn_on_rollback(
    answers: Answers, undone: list[str], ending: str
) -> None:
    """Whatever ends the order afterwards, or in the middle of the handover."""
    run = start(answers, [APPROVED], run=HANDED)

    result = await run.run_to_end()

    assert f"{result['status']}:{result['reason']}" == ending
    assert steps(run) == [*AGREED, PAY, HAND, *undone, f"notify:{result['status']}"]


async def test_a_task_title_is_truncated() -> None:
    """Items that do not fit are given as a number."""
    lines = tuple(OrderLine(item=f"thing-{number}", quantity=1) for number in range(100))
    run = start({}, [APPROVED, ended("completed")], run=AWAITED.model_copy(update={"lines": lines}))

    await run.run_to_end()

    assert run.children[0].input["title"] == "Pick 100 items for order order-1"
