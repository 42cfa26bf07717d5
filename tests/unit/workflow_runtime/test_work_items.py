"""The worker's connection: only work items and answers that are safe come through."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2_grpc, protos

from fakes.turn_engine import work_item
from orderflow_workflow_runtime.upstream.torn_histories import restarts
from orderflow_workflow_runtime.upstream.torn_histories.restarts import WAKING_EVENT, Restarts
from orderflow_workflow_runtime.upstream.torn_histories.turns import Turns
from orderflow_workflow_runtime.upstream.torn_histories.work_items import SafeTurns

pytestmark = pytest.mark.timeout(20)


class Hub(orchestrator_service_pb2_grpc.TaskHubSidecarServiceServicer):
    """The engine's API on a port: it records answers and events, and replies as configured."""

    def __init__(self) -> None:
        self.answers: queue.Queue[Any] = queue.Queue()
        self.events: queue.Queue[Any] = queue.Queue()
        self.failures: list[grpc.StatusCode] = []
        self.refusals: list[str] = []

    def CompleteOrchestratorTask(self, answer: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 # the engine's name
        self.answers.put(answer)
        if self.failures:
            context.abort(self.failures.pop(), "there is trouble")
        return protos.CompleteTaskResponse()

    def RaiseEvent(self, event: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 # the engine's name
        self.events.put(event)
        if self.refusals:
            context.abort(grpc.StatusCode.UNKNOWN, self.refusals.pop())
        return protos.RaiseEventResponse()


class Stream:
    """The engine's stream of work items, which stays open until it is cancelled."""

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
    """The details of a call; only the name is used."""

    def __init__(self, method: str | bytes) -> None:
        self.method = method


WORK_ITEMS = Call("/TaskHubSidecarService/GetWorkItems")
ANSWERS = Call(b"/TaskHubSidecarService/CompleteOrchestratorTask")
LONG_AGO = 1.0
GONE = "no such instance exists"


def item(began: float) -> Any:
    return work_item(began, 0.5, 5, [1])


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def channel(hub: Hub) -> Iterator[grpc.Channel]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    orchestrator_service_pb2_grpc.add_TaskHubSidecarServiceServicer_to_server(hub, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    server.stop(None).wait()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    monkeypatch.setattr(
        "orderflow_workflow_runtime.upstream.torn_histories.turns.HELD_SECONDS", 0.05
    )
    monkeypatch.setattr(
        "orderflow_workflow_runtime.upstream.torn_histories.turns.FOLLOWED_SECONDS", 0.1
    )
    monkeypatch.setattr(
        "orderflow_workflow_runtime.upstream.torn_histories.turns.REPEATED_SECONDS", 0.1
    )
    return Turns()


@pytest.fixture
def open_stream(
    turns: Turns, channel: grpc.Channel
) -> Iterator[Callable[..., "tuple[SafeTurns, queue.Queue[Any]]"]]:
    """Open streams, each read by a thread as the SDK does it, and close them at the end."""
    opened: list[tuple[Any, threading.Thread]] = []

    def open_stream(*items: Any) -> tuple[SafeTurns, queue.Queue[Any]]:
        interceptor = SafeTurns(turns, Restarts(turns, channel))
        stream = interceptor.intercept_unary_stream(lambda *_: Stream(*items), WORK_ITEMS, None)
        passed: queue.Queue[Any] = queue.Queue()

        def read() -> None:
            try:
                for item in stream:
                    passed.put(item)
            except grpc.RpcError:
                with pytest.raises(grpc.RpcError):
                    next(stream)  # asking again gives the same

        reading = threading.Thread(target=read)
        reading.start()
        opened.append((stream, reading))
        return interceptor, passed

    yield open_stream
    for stream, reading in opened:
        assert stream.cancel()
        reading.join(10)
        assert not reading.is_alive()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_turn_of_a_doubtful_attempt_is_restarted_while_others_pass(
    hub: Hub, turns: Turns, open_stream: Any
) -> None:
    """The engine cannot apply such an action, so it ends the attempt, and another one follows."""
    other = item(4e9)
    other.workflowRequest.instanceId = "o-2"

    _, passed = open_stream(item(LONG_AGO), other)

    assert passed.get(timeout=10) is other
    restart = hub.answers.get(timeout=10)
    assert restart.instanceId == "o-1"
    kinds = [action.WhichOneof("workflowActionType") for action in restart.actions]
    assert kinds == ["createDetachedWorkflow"]
    assert turns.take(item(4e9), 4e9)
    wait_until(lambda: not turns._held)


def test_a_workflow_is_woken_if_no_attempt_follows_the_restart(
    hub: Hub, turns: Turns, open_stream: Any
) -> None:
    """An answer of a former worker has ended the attempt, maybe without knowing of all events."""
    open_stream(item(LONG_AGO))
    event = hub.events.get(timeout=10)
    assert (event.instanceId, event.name) == ("o-1", WAKING_EVENT)
    wait_until(lambda: not turns._held)


@pytest.mark.parametrize(("reason", "is_asked_again"), [("it is away", True), (GONE, False)])
def test_a_workflow_is_woken_later_if_it_cannot_be_now(
    hub: Hub, turns: Turns, open_stream: Any, reason: str, *, is_asked_again: bool
) -> None:
    """A purged workflow is not woken: it no longer exists."""
    hub.refusals = [reason]
    open_stream(item(LONG_AGO))
    assert hub.events.get(timeout=10)
    if is_asked_again:
        assert hub.events.get(timeout=10)
    wait_until(lambda: not turns._held)


def test_the_engine_is_asked_again_after_a_failure(
    hub: Hub, turns: Turns, open_stream: Any
) -> None:
    """The doubtful attempt may be pending still."""
    hub.failures = [grpc.StatusCode.UNAVAILABLE]
    open_stream(item(LONG_AGO))
    assert hub.answers.get(timeout=10) == hub.answers.get(timeout=10)
    wait_until(lambda: not turns._held)


def test_a_lost_answer_is_noticed_though_no_work_item_comes(
    hub: Hub,
    channel: grpc.Channel,
    open_stream: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine waits for it, and the turn is restarted."""
    monkeypatch.setattr(
        "orderflow_workflow_runtime.upstream.torn_histories.turns.LATE_SECONDS", 0.05
    )
    monkeypatch.setattr(
        "orderflow_workflow_runtime.upstream.torn_histories.work_items.LOOK_SECONDS", 0.05
    )
    request = item(4e9)
    interceptor, passed = open_stream(request)
    assert passed.get(timeout=10) is request
    stub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(
        grpc.intercept_channel(channel, interceptor)
    )
    answer = protos.WorkflowResponse(instanceId="o-1", completionToken=request.completionToken)
    hub.failures = [grpc.StatusCode.UNAVAILABLE]

    with pytest.raises(grpc.RpcError):
        stub.CompleteOrchestratorTask(answer)

    assert hub.answers.get(timeout=10) == answer
    assert hub.answers.get(timeout=10).actions, "a restart"


def test_a_slow_engine_delays_no_work_item(
    hub: Hub, open_stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarts run in the background, and have a deadline."""
    monkeypatch.setattr(restarts, "CALL_SECONDS", 0.2)
    answered = threading.Event()
    monkeypatch.setattr(hub, "CompleteOrchestratorTask", lambda *_: answered.wait(10))
    later = item(4e9)
    later.workflowRequest.instanceId = "o-2"

    _, passed = open_stream(item(LONG_AGO), later)

    assert passed.get(timeout=10) is later
    answered.set()


def test_the_end_of_a_stream_is_passed_on(turns: Turns, channel: grpc.Channel) -> None:
    """A stream that the sidecar closes has ended and is not broken."""
    interceptor = SafeTurns(turns, Restarts(turns, channel))
    items = interceptor.intercept_unary_stream(lambda *_: iter([]), WORK_ITEMS, None)
    assert list(items) == []


def test_an_unwanted_answer_is_not_sent(
    hub: Hub, turns: Turns, channel: grpc.Channel, open_stream: Any
) -> None:
    """The SDK takes it for sent; the wanted one is sent, and counts until it has arrived."""
    old, new = item(4e9), item(4e9 + 1)
    interceptor, passed = open_stream(old, new)
    assert [passed.get(timeout=10), passed.get(timeout=10)] == [old, new]
    answers = [
        protos.WorkflowResponse(instanceId="o-1", completionToken=each.completionToken)
        for each in (old, new)
    ]
    stub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(
        grpc.intercept_channel(channel, interceptor)
    )

    for each in answers:
        assert stub.CompleteOrchestratorTask(each) == protos.CompleteTaskResponse()

    assert hub.answers.get(timeout=10) == answers[1]
    assert hub.answers.empty()
    assert turns._instances["o-1"].in_flight == 0


@pytest.mark.parametrize(
    ("failure", "has_arrived"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, True),
        (grpc.StatusCode.UNAVAILABLE, False),
        (grpc.StatusCode.DEADLINE_EXCEEDED, False),
        (grpc.StatusCode.UNKNOWN, False),
    ],
)
def test_an_answer_may_arrive_after_its_call_has_failed(
    hub: Hub,
    turns: Turns,
    channel: grpc.Channel,
    failure: grpc.StatusCode,
    *,
    has_arrived: bool,
) -> None:
    """Not one that was too large to be sent; the SDK sends a shorter one then."""
    hub.failures = [failure]
    turns.open(LONG_AGO)
    request = item(LONG_AGO + 1)
    assert turns.take(request, LONG_AGO + 1)
    interceptor = SafeTurns(turns, Restarts(turns, channel))
    stub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(
        grpc.intercept_channel(channel, interceptor)
    )

    with pytest.raises(grpc.RpcError):
        stub.CompleteOrchestratorTask(
            protos.WorkflowResponse(instanceId="o-1", completionToken=request.completionToken)
        )

    assert turns._instances["o-1"].in_flight == 0
    assert (turns._instances["o-1"].arrived_at <= time.time()) == has_arrived
    assert turns.is_newest("o-1", request.completionToken) == has_arrived


def test_an_answer_that_cannot_be_called_counts_as_late(turns: Turns) -> None:
    """Nothing is known about it."""
    turns.open(LONG_AGO)
    request = item(LONG_AGO + 1)
    turns.take(request, LONG_AGO + 1)
    interceptor = SafeTurns(turns, Restarts(turns, grpc.insecure_channel("127.0.0.1:1")))

    def fail(*_: Any) -> Any:
        raise ValueError("the channel is closed")

    with pytest.raises(ValueError, match="closed"):
        interceptor.intercept_unary_unary(
            fail,
            ANSWERS,
            protos.WorkflowResponse(instanceId="o-1", completionToken=request.completionToken),
        )
    assert turns._instances["o-1"].arrived_at > time.time()


def test_other_calls_are_passed_on_unchanged(turns: Turns, channel: grpc.Channel) -> None:
    """Their content is unknown."""
    interceptor = SafeTurns(turns, Restarts(turns, channel))
    hello, events = Call("/TaskHubSidecarService/Hello"), Call("/Dapr/SubscribeTopicEvents")
    assert interceptor.intercept_unary_unary(lambda *_: "a call", hello, None) == "a call"
    assert interceptor.intercept_unary_stream(lambda *_: "a stream", events, None) == "a stream"


def test_everything_passes_once_the_filter_is_off(turns: Turns, channel: grpc.Channel) -> None:
    """Work items keep their tokens, and every answer is sent, as a newer Dapr expects it."""
    interceptor, stream = SafeTurns(turns, Restarts(turns, channel)), Stream(item(LONG_AGO))
    interceptor.is_on = False
    sent: list[Any] = []

    def send(_: Any, request: Any) -> None:
        sent.append(request)

    passed = interceptor.intercept_unary_stream(lambda *_: stream, WORK_ITEMS, None)
    answer = protos.WorkflowResponse(instanceId="unheard-of", completionToken="dapr's own")
    interceptor.intercept_unary_unary(send, ANSWERS, answer)

    assert passed is stream
    assert sent == [answer]
