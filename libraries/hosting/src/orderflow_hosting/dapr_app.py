"""The edge that the sidecar calls: subscriptions, invoked methods and the health check.

Dapr's gRPC application runs its handlers in threads. Each passes its work to the event loop of the
service and waits for it, so that everything behind the edge is plain asyncio.
"""

import asyncio
import hmac
import threading
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import grpc
import structlog
from cloudevents.http import CloudEvent
from dapr.clients.grpc._response import TopicEventResponse
from dapr.ext.grpc import App, InvokeMethodRequest, SubscriptionMessage
from pydantic import BaseModel, ValidationError

from orderflow_contracts.names import PUBSUB, dead_letter_topic
from orderflow_hosting.events import read_event
from orderflow_hosting.problems import Problem, Unavailable, invalid_input
from orderflow_hosting.retrying import Suspects, is_around
from orderflow_hosting.settings import ServiceSettings, in_address

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply")

TOKEN_HEADER = "dapr-api-token"  # noqa: S105 # the name of a header
CALLER_HEADERS = ("dapr-caller-app-id", "dapr-caller-namespace")
"""Headers that the caller's sidecar adds, once each, and that no other sidecar removes."""
OPEN_TO_ALL = frozenset({"HealthCheck", "ListTopicSubscriptions", "ListInputBindings"})
"""Calls that the sidecar makes without the token; they change and reveal nothing."""

HANDLER_THREADS = 64
DRAIN_SECONDS = 10.0


class Refused(Exception):
    """An event that can never be handled, with the reason; it goes to the dead letters.

    `fields` are logged with it.
    """

    def __init__(self, reason: str, **fields: object) -> None:
        super().__init__(reason)
        self.fields = fields


class DaprApp:
    """What one service offers its sidecar."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._calls = _Calls()
        self._suspects = Suspects()
        make: Any = App  # the SDK is typed in part only
        self._app = make(
            thread_pool=ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="dapr-handler"),
            interceptors=[_Gate(settings.app_api_token.get_secret_value(), self._calls)],
            # gRPC would share a port that is in use with whoever holds it, without a word.
            options=[("grpc.so_reuseport", 0)],
        )
        self._app.register_health_check(self._check_health)
        self._unhealthy: str | None = None
        self._stopped = self._loop.create_future()
        self._probes = 0

    def on_method(
        self,
        name: str,
        model: type[Request],
        handle: Callable[[Request], Awaitable[BaseModel]],
        *,
        callers: Collection[str] | None = None,
    ) -> None:
        """Answer a method for the applications named in `callers`, or for all if None."""

        def invoked(request: InvokeMethodRequest) -> str:
            caller = _caller(request)
            if callers is not None and caller not in callers:
                who = caller or "an unknown application"
                raise Problem(403, "FORBIDDEN", f"{who} may not call {name}")
            try:
                body = model.model_validate_json(request.data or b"{}")
            except ValidationError as error:
                raise invalid_input(error.errors(include_url=False)) from None
            return self._on_loop(handle(body)).model_dump_json(exclude_none=True)

        self._app.method(name)(invoked)

    def on_topic(self, topic: str, handle: Callable[[CloudEvent], Awaitable[None]]) -> None:
        """Handle a topic's events one by one.

        `handle` returns once the event is handled for good. It raises `Refused` for one that can
        never be handled, which moves it to the dead letters. After any other exception the event
        is delivered again until it succeeds; only an event that keeps failing for an unknown reason
        while others of its topic are handled becomes a dead letter too (see `Suspects`).
        """
        self._subscribe(topic, handle, dead_letter_topic(topic))

    def on_dead_letters(self, topic: str, record: Callable[[CloudEvent], Awaitable[None]]) -> None:
        """Record what arrives on the topic's dead-letter topic.

        Whatever `record` raises, the event is delivered again: no other topic is behind this one.
        """
        self._subscribe(dead_letter_topic(topic), record, None)

    def _subscribe(
        self,
        topic: str,
        handle: Callable[[CloudEvent], Awaitable[None]],
        dead_letters: str | None,
    ) -> None:
        def delivered(message: SubscriptionMessage) -> TopicEventResponse:
            event_id = _event_id(message)
            try:
                self._on_loop(handle(read_event(message)))
            except Exception as error:  # noqa: BLE001 # the sidecar is answered, and it is logged
                may_be_dropped = dead_letters is not None
                return self._answer_failure(topic, event_id, error, may_be_dropped=may_be_dropped)
            self._suspects.handled(topic, event_id)
            return TopicEventResponse("success")

        delivered.__name__ = topic
        self._app.subscribe(PUBSUB, topic, dead_letter_topic=dead_letters)(delivered)

    def _answer_failure(
        self, topic: str, event_id: str, error: Exception, *, may_be_dropped: bool
    ) -> TopicEventResponse:
        """Have a failed event delivered again, or moved to the dead letters."""
        if may_be_dropped and isinstance(error, Refused):
            log.warning(
                "event_refused",
                topic=topic,
                event_id=event_id,
                reason=str(error),
                **error.fields,
            )
            return TopicEventResponse("drop")
        if is_around(error):
            log.warning("event_waits", topic=topic, event_id=event_id, reason=str(error))
            return TopicEventResponse("retry")
        is_known = self._suspects.knows(topic, event_id)
        if self._suspects.failed(topic, event_id) and may_be_dropped:
            log.error("event_given_up", topic=topic, event_id=event_id, exc_info=error)
            return TopicEventResponse("drop")
        trace = None if is_known else error  # once is enough: the event returns every two seconds
        log.error(
            "event_failed", topic=topic, event_id=event_id, reason=repr(error), exc_info=trace
        )
        return TopicEventResponse("retry")

    def report(self, unhealthy: str | None) -> None:
        """Let the health check of the sidecar fail for this reason, or succeed again if None."""
        self._unhealthy = unhealthy

    async def check_called(self) -> None:
        """Raise until the sidecar has found the service healthy; before, it refuses all calls.

        It makes its probes one after the other, so that the second shows the effect of the first.
        """
        if self._probes <= 1:
            raise Problem(503, "SIDECAR_UNAVAILABLE", "the sidecar does not call the service yet")

    def start(self) -> None:
        """Begin to listen; the sidecar finds the port and asks for the subscriptions."""
        threading.Thread(target=self._listen, name="dapr-app", daemon=True).start()

    async def wait(self) -> None:
        """Wait until the edge has stopped; raise what stopped it if it was a failure."""
        await asyncio.shield(self._stopped)

    async def stop(self) -> None:
        """Refuse new calls, finish those that are running, then close."""
        self._calls.refuse_new()
        await asyncio.to_thread(self._calls.wait_until_none, DRAIN_SECONDS)
        self._app.stop()

    def _check_health(self) -> None:
        if self._unhealthy is not None:
            raise Problem(503, "UNWELL", self._unhealthy)
        self._probes += 1

    def _listen(self) -> None:
        try:
            self._app.run(self._settings.grpc_port, in_address(self._settings.grpc_host))
        except Exception as error:  # noqa: BLE001 # `wait` raises it again
            self._finish(error)
        else:
            self._finish(None)

    def _finish(self, error: Exception | None) -> None:
        def finish() -> None:
            if self._stopped.done():
                return
            if error is None:
                self._stopped.set_result(None)
            else:
                self._stopped.set_exception(error)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(finish)

    def _on_loop(self, work: Awaitable[Reply]) -> Reply:
        async def run() -> Reply:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()


def _event_id(message: SubscriptionMessage) -> str:
    untyped: Any = message
    return str(untyped.id())


def _caller(request: InvokeMethodRequest) -> str | None:
    """Return the calling application, or None if no sidecar of another one vouches for it.

    A caller can send these headers itself. Then they arrive twice or, through the sidecar of the
    called application, one of them may be missing.
    """
    app_id, namespace = (request.metadata.get(header, []) for header in CALLER_HEADERS)
    return str(app_id[0]) if len(app_id) == len(namespace) == 1 else None


class _Calls:
    """Counts the running calls, so that a stop can wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._open = True

    def begin(self) -> bool:
        with self._changed:
            if self._open:
                self._count += 1
            return self._open

    def end(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def refuse_new(self) -> None:
        with self._changed:
            self._open = False

    def wait_until_none(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, timeout)


class _Gate(grpc.ServerInterceptor):  # type: ignore[misc] # grpcio has no types
    """Lets in only callers with the application's token, and maps problems to gRPC codes."""

    def __init__(self, token: str, calls: _Calls) -> None:
        self._token = token.encode()
        self._calls = calls

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler | None],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        if details.method.rpartition("/")[2] in OPEN_TO_ALL:
            return _handler_like(handler, partial(_map_problems, handler))
        presented = dict(details.invocation_metadata).get(TOKEN_HEADER, "")
        known = hmac.compare_digest(str(presented).encode(), self._token)

        def handle(request: object, context: grpc.ServicerContext) -> object:
            if not known:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "the application token is missing")
            if not self._calls.begin():
                context.abort(grpc.StatusCode.UNAVAILABLE, "the application is stopping")
            try:
                return _map_problems(handler, request, context)
            finally:
                self._calls.end()

        return _handler_like(handler, handle)


def _map_problems(
    handler: grpc.RpcMethodHandler, request: object, context: grpc.ServicerContext
) -> object:
    try:
        return handler.unary_unary(request, context)
    except Problem as problem:
        context.abort(problem.grpc_code, problem.detail)
        raise  # abort has raised already, which its types do not show
    except Unavailable as unavailable:
        context.abort(grpc.StatusCode.UNAVAILABLE, str(unavailable))
        raise  # likewise


def _handler_like(
    handler: grpc.RpcMethodHandler, handle: Callable[[object, grpc.ServicerContext], object]
) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
