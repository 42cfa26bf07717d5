"""The edge that a sidecar calls, over a real gRPC channel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from dapr.proto import appcallback_service_v1, appcallback_v1, common_v1
from google.protobuf.empty_pb2 import Empty
from pydantic import BaseModel, SecretStr

from fakes.ports import free_port
from orderflow_hosting.dapr_app import LARGEST_CALL_BYTES, Answer, DaprApp
from orderflow_hosting.problems import Problem, Unavailable
from orderflow_hosting.settings import ServiceSettings

TOKEN = "a token of sixteen or more"  # noqa: S105 # it opens nothing
PATIENCE_SECONDS = 10
Status = appcallback_v1.TopicEventResponse
ANSWERS = {b"later": Answer.REDELIVER, b"never": Answer.DEAD_LETTER}


class Question(BaseModel):
    """A request."""

    number: int


class Double(BaseModel):
    """A reply."""

    double: int


class Service:
    """A service's handlers, some of which wait until the test releases them."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.events: list[bytes] = []

    async def double(self, question: Question) -> Double:
        """Answer, unless the number is one that fails."""
        if question.number == 12:
            raise Unavailable("the database is read-only")
        if question.number == 13:
            raise Problem(409, "UNLUCKY", "not that number")
        return Double(double=question.number * 2)

    async def wait(self, _: Question) -> Double:
        """Answer once released."""
        self.entered.set()
        await self.go_on.wait()
        return Double(double=0)

    async def take(self, event: bytes) -> Answer:
        """Answer as the event says; one that it does not know is answered late, or fails."""
        self.events.append(event)
        if event == b"wait":
            self.entered.set()
            await self.go_on.wait()
        if event == b"fail":
            raise RuntimeError("a bug")
        return ANSWERS.get(event, Answer.ACKNOWLEDGE)


class Caller:
    """Calls the application as the sidecar does."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        service: Any = appcallback_service_v1
        self._app = service.AppCallbackStub(self.channel)
        self._health = service.AppCallbackHealthCheckStub(self.channel)

    async def invoke(
        self, method: str, data: bytes, caller: str | None = "orders", token: str | None = TOKEN
    ) -> bytes:
        """Invoke a method as an application, with a token."""
        request = common_v1.InvokeRequest(method=method)
        request.data.value = data
        reply = await self._app.OnInvoke(
            request, metadata=_metadata(caller, token), timeout=PATIENCE_SECONDS
        )
        return bytes(reply.data.value)

    async def deliver(
        self,
        data: bytes,
        token: str | None = TOKEN,
        *,
        topic: str = "things",
    ) -> int:
        """Deliver an event and return how it was answered."""
        request = appcallback_v1.TopicEventRequest(
            id="made up at each delivery",
            topic=topic,
            pubsub_name="pubsub",
            data=data,
            data_content_type="application/octet-stream",
        )
        reply = await self._app.OnTopicEvent(
            request, metadata=_metadata(None, token), timeout=PATIENCE_SECONDS
        )
        return int(reply.status)

    async def subscriptions(self) -> list[tuple[str, str, str, dict[str, str]]]:
        """Ask for the subscriptions: component, topic, dead-letter topic and metadata."""
        reply = await self._app.ListTopicSubscriptions(Empty(), timeout=PATIENCE_SECONDS)
        return [
            (one.pubsub_name, one.topic, one.dead_letter_topic, dict(one.metadata))
            for one in reply.subscriptions
        ]

    async def check_health(self) -> None:
        """Ask for the application's health."""
        await self._health.HealthCheck(Empty(), timeout=PATIENCE_SECONDS)


def _metadata(caller: str | None, token: str | None) -> tuple[tuple[str, str], ...]:
    named: tuple[tuple[str, str], ...] = ()
    if caller is not None:
        named = (("dapr-caller-app-id", caller), ("dapr-caller-namespace", "default"))
    return (*named, ("dapr-api-token", token)) if token is not None else named


def settings(port: int) -> ServiceSettings:
    return ServiceSettings.model_construct(
        grpc_host="127.0.0.1", grpc_port=port, app_api_token=SecretStr(TOKEN)
    )


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def app(port: int, service: Service) -> AsyncIterator[DaprApp]:
    app = DaprApp(settings(port))
    app.on_method("double", Question, service.double, callers={"orders"})
    app.on_method("open", Question, service.double)
    app.on_method("wait", Question, service.wait)
    app.on_event("things", service.take, dead_letter_topic="things.dead")
    app.on_event("things.dead", service.take, dead_letter_topic=None)
    await app.start()
    yield app
    service.go_on.set()
    await app.stop()
    await app.wait()


@pytest.fixture
async def caller(app: DaprApp, port: int) -> AsyncIterator[Caller]:  # noqa: ARG001 # it must run
    caller = Caller(port)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await caller.channel.channel_ready()
    yield caller
    await caller.channel.close()


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details() or ""


async def test_an_allowed_caller_gets_the_reply_as_json(caller: Caller) -> None:
    """The handler's reply is returned to a caller that may call it."""
    assert await caller.invoke("double", b'{"number": 4}') == b'{"double":8}'


@pytest.mark.parametrize("token", [None, "", "another token of some length", TOKEN + " "])
async def test_methods_and_events_require_the_token(
    caller: Caller, service: Service, token: str | None
) -> None:
    """Only the sidecar has the token."""
    method, _ = await refused(caller.invoke("double", b'{"number": 4}', token=token))
    topic, _ = await refused(caller.deliver(b"take", token=token))

    assert (method, topic) == (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAUTHENTICATED)
    assert service.events == []


@pytest.mark.parametrize("who", [None, "", "inventory", "Orders"])
async def test_a_method_is_closed_to_other_applications(caller: Caller, who: str | None) -> None:
    """An application that is not named as a caller is refused, whatever it claims to be."""
    code, details = await refused(caller.invoke("double", b'{"number": 4}', caller=who))

    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "may not call double" in details


async def test_a_method_without_named_callers_is_open_to_all(caller: Caller) -> None:
    """It answers every application."""
    assert await caller.invoke("open", b'{"number": 4}', caller=None) == b'{"double":8}'


@pytest.mark.parametrize(("body", "field"), [(b'{"number": "x"}', "number"), (b"{", "body")])
async def test_an_invalid_request_names_its_field(caller: Caller, body: bytes, field: str) -> None:
    """The error gives the invalid field."""
    code, details = await refused(caller.invoke("double", body))

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.startswith(f"{field}: ")


async def test_a_problem_has_a_matching_grpc_code(caller: Caller) -> None:
    """Expected failures get the gRPC code of the same meaning."""
    code, details = await refused(caller.invoke("double", b'{"number": 13}'))

    assert (code, details) == (grpc.StatusCode.FAILED_PRECONDITION, "not that number")


async def test_an_unknown_method_is_not_implemented(caller: Caller) -> None:
    """A name that nobody registered gets the code UNIMPLEMENTED."""
    code, _ = await refused(caller.invoke("nothing", b"{}"))

    assert code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"take", Status.SUCCESS),
        (b"never", Status.DROP),
        (b"later", Status.RETRY),
    ],
)
@pytest.mark.parametrize("topic", ["things", "things.dead"])
async def test_an_event_is_acknowledged_dropped_or_retried(
    caller: Caller, service: Service, data: bytes, status: int, topic: str
) -> None:
    """The sidecar is told what the handler answers; `test_topics.py` tests which answer it is."""
    assert await caller.deliver(data, topic=topic) == status
    assert service.events == [data]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\0", b"<" * (4 * 1024 * 1024), b"x" * (24 * 1024 * 1024)], ids=len
)
async def test_every_byte_of_an_event_arrives(
    caller: Caller, service: Service, data: bytes
) -> None:
    """Whatever a sidecar with default limits can deliver reaches the handler as it is."""
    assert len(data) < LARGEST_CALL_BYTES
    assert await caller.deliver(data) == Status.SUCCESS
    assert service.events == [data]


async def test_a_handler_that_fails_acknowledges_nothing(caller: Caller) -> None:
    """The sidecar is told of an error, after which it delivers the event again."""
    code, _ = await refused(caller.deliver(b"fail"))

    assert code is grpc.StatusCode.UNKNOWN


async def test_an_event_of_an_unknown_topic_is_not_implemented(caller: Caller) -> None:
    """No handler would be the right one."""
    code, _ = await refused(caller.deliver(b"take", topic="others"))

    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_slow_events_keep_nobody_out(caller: Caller, service: Service) -> None:
    """Invocations, the health check and other events are served beside any number of them."""
    slow = [asyncio.create_task(caller.deliver(b"wait")) for _ in range(200)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(service.events) < len(slow):
            await asyncio.sleep(0.01)

    assert await caller.invoke("double", b'{"number": 4}') == b'{"double":8}'
    assert await caller.deliver(b"take") == Status.SUCCESS
    await caller.check_health()

    assert not any(one.done() for one in slow)
    service.go_on.set()
    assert set(await asyncio.gather(*slow)) == {Status.SUCCESS}


async def test_an_unavailable_method_may_be_retried(caller: Caller) -> None:
    """The code says that the failure is temporary and not the caller's fault."""
    code, _ = await refused(caller.invoke("double", b'{"number": 12}'))

    assert code is grpc.StatusCode.UNAVAILABLE


async def test_an_unhealthy_application_gives_the_reason(app: DaprApp, caller: Caller) -> None:
    """The sidecar's health check fails while the application is unhealthy."""
    app.report("it cannot work")
    assert await refused(caller.check_health()) == (grpc.StatusCode.UNAVAILABLE, "it cannot work")
    app.report(None)
    await caller.check_health()


async def test_a_service_is_called_from_its_first_successful_probe_on(
    app: DaprApp, caller: Caller
) -> None:
    """The second probe shows that the sidecar has the answer to the first."""
    app.report("it cannot work")
    for _ in range(2):
        await refused(caller.check_health())
    app.report(None)
    await caller.check_health()
    with pytest.raises(Problem, match="does not call the service yet"):
        await app.check_called()

    await caller.check_health()

    await app.check_called()


async def test_subscriptions_and_health_need_no_token(caller: Caller) -> None:
    """The sidecar asks for both without the token, before anything else."""
    await caller.check_health()

    assert await caller.subscriptions() == [
        ("pubsub", "things", "things.dead", {"rawPayload": "true"}),
        ("pubsub", "things.dead", "", {"rawPayload": "true"}),
    ]


async def test_stopping_waits_for_running_calls(
    app: DaprApp, caller: Caller, service: Service
) -> None:
    """A running call is answered; new calls are refused."""
    running = asyncio.create_task(caller.invoke("wait", b'{"number": 1}'))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await service.entered.wait()

    stopping = asyncio.create_task(app.stop())
    code = None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while code is None:  # the stop starts in the loop's next iteration
            try:
                await caller.invoke("open", b'{"number": 1}')
            except grpc.aio.AioRpcError as error:
                code = error.code()
    assert not stopping.done()
    # One that arrives while the port is being closed is cancelled. Callers retry after either.
    assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    service.go_on.set()

    assert await running == b'{"double":0}'
    await stopping


async def test_a_port_in_use_is_reported(app: DaprApp, caller: Caller, port: int) -> None:  # noqa: ARG001 # they hold the port
    """A server that cannot listen says so, with the port."""
    second = DaprApp(settings(port))

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(RuntimeError, match=str(port)):
            await second.start()
