"""Of one instance, only the newest turn is carried out and answered."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orders.turns import HELD_SECONDS, REMEMBERED_SECONDS, Turns
from orders.work_items import OneAnswerATurn

OPENED = 1000.0


def turn(began: float | None, instance_id: str = "o-1") -> Any:
    """Make the work item of a turn that began at a moment."""
    events = [protos.HistoryEvent(executionResumed=protos.ExecutionResumedEvent())]
    if began is not None:
        started = protos.HistoryEvent(workflowStarted=protos.WorkflowStartedEvent())
        started.timestamp.FromNanoseconds(int(began * 1e9))
        events.insert(0, started)
    request = protos.WorkflowRequest(instanceId=instance_id, newEvents=events)
    return protos.WorkItem(workflowRequest=request)


def answer(item: Any) -> Any:
    """Make the worker's answer to a work item: it has the item's token."""
    return protos.WorkflowResponse(
        instanceId=item.workflowRequest.instanceId, completionToken=item.completionToken
    )


@pytest.fixture
def turns() -> Turns:
    turns = Turns()
    turns.open(OPENED)
    return turns


def test_turns_one_after_the_other_are_handed_on_and_answered(turns: Turns) -> None:
    """In the ordinary run of things nothing is held back."""
    for began in (OPENED, OPENED + 2, OPENED + 4):
        item = turn(began)
        assert turns.take(item, began) == [item]
        assert turns.may_answer(answer(item), began + 1)
    assert turns.pause(OPENED + 5) is None


def test_an_activity_is_always_handed_on(turns: Turns) -> None:
    """Activities are told apart by the sidecar, and may run twice."""
    item = protos.WorkItem(activityRequest=protos.ActivityRequest(name="notify_activity"))
    assert turns.take(item, OPENED) == [item]


def test_a_turn_that_does_not_tell_when_it_began_is_handed_on(turns: Turns) -> None:
    """There is nothing to doubt it by."""
    item = turn(None)
    assert turns.take(item, OPENED) == [item]


def test_a_turn_from_before_the_stream_is_dropped_for_the_next(turns: Turns) -> None:
    """The sidecar gave it up with the former worker, and began it anew."""
    left, new = turn(OPENED - 1), turn(OPENED + 1)

    assert turns.take(left, OPENED) == []
    assert turns.take(new, OPENED + 1) == [new]

    assert turns.due(OPENED + HELD_SECONDS + 1) == []
    assert not turns.may_answer(answer(left), OPENED + 2)
    assert turns.may_answer(answer(new), OPENED + 2)


def test_a_turn_from_before_the_stream_that_nothing_replaces_is_handed_on(turns: Turns) -> None:
    """It is still waited for, as where the former stream overlapped with this one."""
    item = turn(OPENED - 1)

    assert turns.take(item, OPENED) == []
    assert turns.pause(OPENED + 1) == HELD_SECONDS - 1
    assert turns.due(OPENED + HELD_SECONDS - 0.1) == []
    assert turns.due(OPENED + HELD_SECONDS) == [item]

    assert turns.may_answer(answer(item), OPENED + HELD_SECONDS + 1)


def test_the_answer_to_a_turn_that_was_replaced_meanwhile_is_dropped(turns: Turns) -> None:
    """The sidecar would take it for the answer to the turn that replaced it."""
    slow, new = turn(OPENED + 1), turn(OPENED + 2)
    assert turns.take(slow, OPENED + 1) == [slow]
    assert turns.take(new, OPENED + 2) == [new]

    assert not turns.may_answer(answer(slow), OPENED + 3)
    assert turns.may_answer(answer(new), OPENED + 4)


def test_a_turn_that_took_the_answer_to_the_one_before_is_dropped_for_the_next(
    turns: Turns,
) -> None:
    """It had begun when that answer was sent, so a second one would go to the turn after it."""
    slow, crossed, new = turn(OPENED + 1), turn(OPENED + 2), turn(OPENED + 4)
    turns.take(slow, OPENED + 1)
    assert turns.may_answer(answer(slow), OPENED + 3)

    assert turns.take(crossed, OPENED + 3.1) == []
    assert turns.take(new, OPENED + 4.1) == [new]

    assert not turns.may_answer(answer(crossed), OPENED + 5)
    assert turns.may_answer(answer(new), OPENED + 5)


def test_a_turn_that_was_tried_before_began_when_it_was_tried_last(turns: Turns) -> None:
    """What a former try has written is among the new events still."""
    item = turn(OPENED - 1)
    item.workflowRequest.newEvents.extend(turn(OPENED + 1).workflowRequest.newEvents)
    assert turns.take(item, OPENED + 1) == [item]


def test_instances_do_not_hold_each_other_up(turns: Turns) -> None:
    """What is doubtful about one says nothing about another."""
    left, other = turn(OPENED - 1, "o-1"), turn(OPENED + 1, "o-2")
    assert turns.take(left, OPENED) == []
    assert turns.take(other, OPENED + 1) == [other]
    assert turns.due(OPENED + HELD_SECONDS) == [left]


def test_an_answer_may_be_sent_again_until_the_next_turn(turns: Turns) -> None:
    """The SDK sends a shorter one when the first was too large."""
    item = turn(OPENED)
    turns.take(item, OPENED)
    assert turns.may_answer(answer(item), OPENED + 1)
    assert turns.may_answer(answer(item), OPENED + 2)


def test_an_answer_to_what_came_on_a_former_stream_is_dropped(turns: Turns) -> None:
    """When a stream ends, the sidecar gives up all that it had sent on it."""
    item = turn(OPENED)
    turns.take(item, OPENED)
    turns.open(OPENED + 1)
    assert not turns.may_answer(answer(item), OPENED + 2)


def test_what_was_answered_long_ago_is_forgotten(turns: Turns) -> None:
    """The memory of a worker that runs for months does not grow."""
    for number in range(100):
        item = turn(OPENED + number, f"o-{number}")
        turns.take(item, OPENED + number)
        assert turns.may_answer(answer(item), OPENED + number)
    assert len(turns._answered) == len(turns._newest) == REMEMBERED_SECONDS + 1


class Stream:
    """The sidecar's stream of work items, which stays open until it is cancelled."""

    def __init__(self, *items: Any) -> None:
        self._items = items
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        yield from self._items
        assert self._cancelled.wait(10)
        raise grpc.RpcError("cancelled")

    def cancel(self) -> bool:
        self._cancelled.set()
        return True


class Call:
    """The details of a call, of which the name counts."""

    def __init__(self, method: str | bytes) -> None:
        self.method = method


WORK_ITEMS = Call("/TaskHubSidecarService/GetWorkItems")
ANSWERS = Call(b"/TaskHubSidecarService/CompleteOrchestratorTask")


@pytest.mark.timeout(20)
def test_the_stream_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is good comes at once, what is held back comes late, and the end comes through."""
    monkeypatch.setattr("orders.turns.HELD_SECONDS", 0.1)
    left, new = turn(1, "o-1"), turn(4e9, "o-2")
    stream = Stream(left, new)

    items = OneAnswerATurn().intercept_unary_stream(lambda *_: stream, WORK_ITEMS, None)

    assert next(items) is new
    assert next(items) is left
    assert items.cancel()
    for _ in range(2):
        with pytest.raises(grpc.RpcError):
            next(items)


@pytest.mark.timeout(20)
def test_the_end_of_a_stream_comes_through() -> None:
    """A stream that the sidecar closes is at its end, not broken."""
    items = OneAnswerATurn().intercept_unary_stream(lambda *_: iter([]), WORK_ITEMS, None)
    assert list(items) == []


def test_an_answer_that_is_not_wanted_is_not_sent() -> None:
    """The SDK takes it for sent; the wanted one goes to the sidecar."""
    sent: list[Any] = []
    interceptor = OneAnswerATurn()
    old, new = turn(4e9), turn(4e9 + 1)
    stream = Stream(old, new)
    items = interceptor.intercept_unary_stream(lambda *_: stream, WORK_ITEMS, None)
    assert [next(items), next(items)] == [old, new]

    def send(_: Any, request: Any) -> str:
        sent.append(request)
        return "a call"

    dropped = interceptor.intercept_unary_unary(send, ANSWERS, answer(old))
    assert dropped.result() == protos.CompleteTaskResponse()
    assert interceptor.intercept_unary_unary(send, ANSWERS, answer(new)) == "a call"
    assert sent == [answer(new)]
    items.cancel()


def test_other_calls_are_left_alone() -> None:
    """Nothing is known about what they carry."""
    interceptor = OneAnswerATurn()
    hello, events = Call("/TaskHubSidecarService/Hello"), Call("/Dapr/SubscribeTopicEvents")
    assert interceptor.intercept_unary_unary(lambda *_: "a call", hello, None) == "a call"
    assert interceptor.intercept_unary_stream(lambda *_: "a stream", events, None) == "a stream"
