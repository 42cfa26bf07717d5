"""Of the attempts at a workflow's turn, only one that no earlier answer can reach is run."""

from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from fakes.turn_engine import ID, work_item
from orderflow_workflow_runtime.upstream.torn_histories.turns import (
    FOLLOWED_SECONDS,
    HELD_SECONDS,
    LATE_SECONDS,
    REMEMBERED_SECONDS,
    REPEATED_SECONDS,
    Step,
    Turns,
)

OPENED = 1000.0
EXECUTION = 900.0


def turn(began: float, written: int = 5, *events: int, execution: float = EXECUTION) -> Any:
    """Make the work item of an attempt at a turn, with a history of this length."""
    return work_item(began, execution, written, list(events or (written,)))


def of(item: Any, instance_id: str) -> Any:
    """Make it a work item of another instance."""
    item.workflowRequest.instanceId = instance_id
    return item


def answer(item: Any, actions: int = 1) -> Any:
    """Make the worker's answer to a work item: it has the item's token."""
    return protos.WorkflowResponse(
        instanceId=item.workflowRequest.instanceId,
        completionToken=item.completionToken,
        actions=[protos.WorkflowAction() for _ in range(actions)],
    )


@pytest.fixture
def turns() -> Turns:
    turns = Turns()
    turns.open(OPENED)
    return turns


def run(turns: Turns, item: Any, at: float, returned: float | None = None) -> None:
    """Receive an attempt that is to be run, answer it, and have the answer arrive."""
    assert turns.take(item, at)
    assert turns.begin_answer(answer(item), at)
    if returned is not None:
        turns.end_answer(item.workflowRequest.instanceId, returned, arrived=True)


def test_consecutive_turns_are_run_and_answered(turns: Turns) -> None:
    """None is held, although each begins before the last answer is known to have arrived."""
    for number in range(4):
        at = OPENED + 1 + number
        item = turn(at - 0.5, 5 + 3 * number)
        assert turns.take(item, at)
        if number:
            turns.end_answer(ID, at, arrived=True)
        assert turns.begin_answer(answer(item), at)
    assert not turns._held


def test_an_activity_is_always_run(turns: Turns) -> None:
    """The engine identifies activities by number, and they may run twice."""
    item = protos.WorkItem(activityRequest=protos.ActivityRequest(name="notify_activity"))
    assert turns.take(item, OPENED)


def test_an_attempt_without_a_time_began_when_it_arrived(turns: Turns) -> None:
    """There is no reason to doubt it."""
    item = turn(OPENED - 1)
    del item.workflowRequest.newEvents[0]
    assert turns.take(item, OPENED + 1)


def test_an_attempt_from_before_the_stream_is_held(turns: Turns) -> None:
    """An answer of an earlier worker may have ended it."""
    assert not turns.take(turn(OPENED - 1), OPENED)
    assert turns.pause(OPENED, 9) == HELD_SECONDS
    assert turns.pause(OPENED, 1) == 1


def test_an_attempt_that_was_tried_before_began_when_it_was_tried_last(turns: Turns) -> None:
    """What a former attempt has added is among the new events still."""
    item = turn(OPENED - 1)
    item.workflowRequest.newEvents.extend(turn(OPENED + 1).workflowRequest.newEvents)
    assert turns.take(item, OPENED + 1)


def test_a_retry_is_not_run_while_an_answer_is_on_its_way(turns: Turns) -> None:
    """The answer may end it, and a second one would end the turn after it."""
    run(turns, turn(OPENED + 1), OPENED + 1)
    assert not turns.take(turn(OPENED + 2), OPENED + 2)


def test_a_retry_that_began_before_the_last_answer_arrived_is_not_run(turns: Turns) -> None:
    """The answer may have ended it; when it was sent does not count."""
    run(turns, turn(OPENED + 1), OPENED + 1, returned=OPENED + 3)
    assert not turns.take(turn(OPENED + 2), OPENED + 4)


def test_a_retry_that_began_after_the_last_answer_arrived_is_run(turns: Turns) -> None:
    """The answer met an attempt that nobody waited for any more, so another one is needed."""
    run(turns, turn(OPENED + 1), OPENED + 1, returned=OPENED + 2)
    run(turns, turn(OPENED + 3), OPENED + 3)


@pytest.mark.parametrize(
    ("actions", "written", "is_run"),
    [(1, 8, True), (3, 8, True), (1, 7, False), (0, 7, True), (0, 5, False)],
)
def test_the_history_proves_that_the_last_answer_was_used_up(
    turns: Turns, actions: int, written: int, *, is_run: bool
) -> None:
    """It does so if it holds the events of the turn and at least one for its actions."""
    item = turn(OPENED + 1, 5)
    assert turns.take(item, OPENED + 1)
    assert turns.begin_answer(answer(item, actions), OPENED + 1)

    assert turns.take(turn(OPENED + 2, written), OPENED + 2) == is_run


@pytest.mark.parametrize(("later", "is_run"), [(1.0, True), (-1.0, False)])
def test_a_workflow_that_has_continued_as_new_proves_it_too(
    turns: Turns, later: float, *, is_run: bool
) -> None:
    """Its history is shorter then; an attempt that had continued as new before is left over."""
    run(turns, turn(OPENED + 1, 5), OPENED + 1)
    item = turn(OPENED + 2, 2, execution=EXECUTION + later)
    assert turns.take(item, OPENED + 2) == is_run


def test_a_workflow_that_has_just_continued_as_new_is_always_run(turns: Turns) -> None:
    """It did so within an attempt, so there is no other at this turn, even before the stream."""
    item = turn(OPENED - 1, 0, execution=OPENED - 0.999)
    assert turns.take(item, OPENED)
    assert not turns.take(turn(OPENED - 1, 0, execution=OPENED - 1.001), OPENED + 1)


def test_a_history_of_which_only_the_end_is_sent_counts_as_a_whole(turns: Turns) -> None:
    """The worker may have the beginning already."""
    run(turns, turn(OPENED + 1, 5), OPENED + 1)
    item = turn(OPENED + 2, 3)
    request = item.workflowRequest
    request.cachedHistory.eventCount = 5
    for event in request.pastEvents:
        event.executionCompleted.SetInParent()
    assert turns.take(item, OPENED + 2)


@pytest.mark.parametrize(("after", "is_run"), [(-0.1, False), (0.1, True)])
def test_an_answer_whose_call_failed_may_arrive_for_a_while(
    turns: Turns, after: float, *, is_run: bool
) -> None:
    """A retry is run only if it began after that."""
    run(turns, turn(OPENED + 1), OPENED + 1)
    turns.end_answer(ID, OPENED + 2, arrived=False)
    began = OPENED + 2 + LATE_SECONDS + after
    assert turns.take(turn(began), began) == is_run


def test_a_turn_whose_answer_may_be_lost_is_restarted(turns: Turns) -> None:
    """The engine would wait for the answer for ever; but it may still arrive for a while."""
    run(turns, turn(OPENED + 1), OPENED + 1)
    turns.end_answer(ID, OPENED + 2, arrived=False)

    assert not turns.due(OPENED + 1.9 + LATE_SECONDS)
    ((attempt, step),) = turns.due(OPENED + 2 + LATE_SECONDS)
    assert step is Step.RESTART

    turns.restarted(attempt, OPENED + 10)
    assert not turns.due(OPENED + 99), "it was answered, with all of its events"


def test_a_doubtful_attempt_that_nothing_replaces_is_restarted(turns: Turns) -> None:
    """The engine is asked once, and once more if it does not reply."""
    turns.take(turn(OPENED - 1), OPENED)
    assert not turns.due(OPENED + HELD_SECONDS - 0.1)

    steps = turns.due(OPENED + HELD_SECONDS)
    assert [step for _, step in steps] == [Step.RESTART]
    assert not turns.due(OPENED + HELD_SECONDS + 1)
    assert turns.due(OPENED + HELD_SECONDS + REPEATED_SECONDS) == steps


def test_a_doubtful_attempt_is_not_restarted_while_an_answer_is_on_its_way(turns: Turns) -> None:
    """The answer may end it, and be lost if the turn were restarted before."""
    run(turns, turn(OPENED + 1), OPENED + 1)
    turns.take(turn(OPENED + 2), OPENED + 2)
    assert not turns.due(OPENED + 9)
    turns.end_answer(ID, OPENED + 10, arrived=True)
    assert turns.due(OPENED + 9 + HELD_SECONDS)


def test_a_doubtful_attempt_is_replaced_by_the_next(turns: Turns) -> None:
    """The next is run, and the doubtful one is never answered nor restarted."""
    left, new = turn(OPENED - 1), turn(OPENED + 1)
    turns.take(left, OPENED)
    run(turns, new, OPENED + 1)
    assert not turns.due(OPENED + 99)
    assert not turns.begin_answer(answer(left), OPENED + 2)


def test_a_doubtful_attempt_is_not_answered(turns: Turns) -> None:
    """It was not run, so nobody can have an answer."""
    item = turn(OPENED - 1)
    turns.take(item, OPENED)
    assert not turns.is_newest(ID, item.completionToken)
    assert not turns.begin_answer(answer(item), OPENED)


def test_instances_do_not_hold_each_other_up(turns: Turns) -> None:
    """What is doubtful about one says nothing about another."""
    assert not turns.take(turn(OPENED - 1), OPENED)
    assert turns.take(of(turn(OPENED + 1), "o-2"), OPENED + 1)


def test_an_attempt_that_was_replaced_is_neither_run_nor_answered(turns: Turns) -> None:
    """Its answer would be taken for that to the attempt that replaced it."""
    slow, new = turn(OPENED + 1), turn(OPENED + 2)
    assert turns.take(slow, OPENED + 1)
    assert turns.is_newest(ID, slow.completionToken)

    assert turns.take(new, OPENED + 2)

    assert not turns.is_newest(ID, slow.completionToken)
    assert not turns.begin_answer(answer(slow), OPENED + 3)
    assert turns.begin_answer(answer(new), OPENED + 4)


def test_an_attempt_that_began_before_the_newest_is_dropped(turns: Turns) -> None:
    """The newest is still to be answered, and that answer serves both."""
    new = turn(OPENED + 2)
    assert turns.take(new, OPENED + 2)
    assert not turns.take(turn(OPENED + 1), OPENED + 3)
    assert turns.begin_answer(answer(new), OPENED + 4)
    assert not turns._held


def test_a_clock_that_was_set_back_stops_no_workflow(turns: Turns) -> None:
    """A turn that seems older than the last answered one is restarted."""
    run(turns, turn(OPENED + 50), OPENED + 50, returned=OPENED + 51)

    assert not turns.take(turn(OPENED + 1), OPENED + 1)
    assert turns.due(OPENED + 60)
    run(turns, turn(OPENED + 3, 8), OPENED + 3)


def test_the_workflow_is_woken_if_the_answer_did_not_know_of_all_events(turns: Turns) -> None:
    """They are in its history now, but nothing has reacted to them."""
    run(turns, turn(OPENED + 1, 5, 1), OPENED + 1, returned=OPENED + 3)
    turns.take(turn(OPENED + 2, 5, 1, 2), OPENED + 3)
    ((attempt, _),) = turns.due(OPENED + 9)
    turns.restarted(attempt, OPENED + 9)

    assert not turns.due(OPENED + 8.9 + FOLLOWED_SECONDS), "another attempt may follow"
    woken = turns.due(OPENED + 9 + FOLLOWED_SECONDS)
    assert woken == [(attempt, Step.WAKE)]
    assert turns.due(OPENED + 9 + FOLLOWED_SECONDS + REPEATED_SECONDS) == woken
    turns.release(attempt)
    assert not turns._held


def test_the_workflow_is_woken_though_the_sidecar_was_away_meanwhile(turns: Turns) -> None:
    """What happened is in the history, and no attempt follows."""
    run(turns, turn(OPENED + 1, 5, 1), OPENED + 1, returned=OPENED + 3)
    turns.take(turn(OPENED + 2, 5, 1, 2), OPENED + 3)
    turns.open(OPENED + 4)
    ((attempt, _),) = turns.due(OPENED + 9)
    turns.restarted(attempt, OPENED + 9)
    turns.open(OPENED + 10)
    assert turns.due(OPENED + 99) == [(attempt, Step.WAKE)]


def test_the_workflow_is_not_woken_if_the_answer_knew_of_all_events(turns: Turns) -> None:
    """There is nothing new to react to."""
    run(turns, turn(OPENED + 1, 5, 1, 2), OPENED + 1, returned=OPENED + 3)
    turns.take(turn(OPENED + 2, 5, 1, 2), OPENED + 3)
    ((attempt, _),) = turns.due(OPENED + 9)
    turns.restarted(attempt, OPENED + 9)
    assert not turns.due(OPENED + 99)
    assert not turns._held


def test_the_workflow_is_woken_if_the_answer_is_not_known(turns: Turns) -> None:
    """A former worker gave it."""
    turns.take(turn(OPENED - 1), OPENED)
    ((attempt, _),) = turns.due(OPENED + 9)
    turns.restarted(attempt, OPENED + 9)
    assert turns.due(OPENED + 99) == [(attempt, Step.WAKE)]


def test_the_workflow_is_not_woken_once_another_attempt_has_come(turns: Turns) -> None:
    """It knows of all events, and is run."""
    turns.take(turn(OPENED - 1), OPENED)
    ((attempt, _),) = turns.due(OPENED + 9)
    new = turn(OPENED + 10)
    assert turns.take(new, OPENED + 10)

    turns.restarted(attempt, OPENED + 11)
    turns.release(attempt)

    assert not turns._held
    assert turns.begin_answer(answer(new), OPENED + 12)


def test_an_answer_may_be_sent_again_until_the_next_attempt(turns: Turns) -> None:
    """The SDK sends a shorter one when the first was too large."""
    item = turn(OPENED + 1)
    run(turns, item, OPENED + 1, returned=OPENED + 2)
    assert turns.begin_answer(answer(item), OPENED + 3)


def test_an_answer_to_what_came_on_a_former_stream_is_dropped(turns: Turns) -> None:
    """When a stream ends, the engine gives up all that it had sent on it."""
    item = turn(OPENED + 1)
    turns.take(item, OPENED + 1)
    turns.open(OPENED + 2)
    assert not turns.begin_answer(answer(item), OPENED + 3)


def test_an_answer_from_a_former_stream_still_counts(turns: Turns) -> None:
    """It may arrive after the new one was opened."""
    run(turns, turn(OPENED + 1), OPENED + 1)
    turns.open(OPENED + 2)
    assert not turns.take(turn(OPENED + 3), OPENED + 3)


def test_answered_turns_are_forgotten_after_a_while(turns: Turns) -> None:
    """The memory of a long-running worker does not grow; running turns are kept."""
    waiting, late = of(turn(OPENED + 1), "waiting"), of(turn(OPENED + 1), "late")
    assert turns.take(waiting, OPENED + 1)
    run(turns, late, OPENED + 1)
    for number in range(400):
        at = OPENED + 1 + number
        run(turns, of(turn(at), f"o-{number}"), at, returned=at)

    assert len(turns._instances) <= 2 * REMEMBERED_SECONDS + 3
    assert turns.begin_answer(answer(waiting), at)
    turns.end_answer("late", at, arrived=True)
