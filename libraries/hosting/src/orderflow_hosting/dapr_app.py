"""The edge that the sidecar calls: subscriptions, invoked methods and the health check.

It is a gRPC server on the service's event loop. The SDK's own application runs everything in one
pool of threads, in which slow events would keep out invocations and the health check.
"""

import hmac
from collections.abc import Awaitable, Callable, Collection
from enum import IntEnum
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from dapr.proto import appcallback_service_v1, appcallback_v1, common_v1
from pydantic import BaseModel, ValidationError

from orderflow_contracts.names import PUBSUB
from orderflow_hosting.problems import Problem, Unavailable, invalid_input
from orderflow_hosting.settings import ServiceSettings, in_address

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply")

TOKEN_HEADER: Final = "dapr-api-token"  # noqa: S105 # the name of a header
CALLER_HEADERS: Final = ("dapr-caller-app-id", "dapr-caller-namespace")
"""Headers that the caller's sidecar adds, once each, and that no other sidecar removes."""
OPEN_TO_ALL: Final = frozenset({"HealthCheck", "ListTopicSubscriptions", "ListInputBindings"})
"""Calls that the sidecar makes without the token; they change and reveal nothing."""

LARGEST_CALL_BYTES: Final = 64 * 1024 * 1024
"""Above all that a sidecar with default limits can deliver: 4 MiB, of which each byte may have been
written as six. What the service cannot receive would be delivered again for ever."""
DRAIN_SECONDS: Final = 10.0


class Answer(IntEnum):
    """What the sidecar is to do with an event."""

    ACKNOWLEDGE = appcallback_v1.TopicEventResponse.SUCCESS
    REDELIVER = appcallback_v1.TopicEventResponse.RETRY
    DEAD_LETTER = appcallback_v1.TopicEventResponse.DROP


Deliver = Callable[[bytes], Awaitable[Answer]]
"""Handles the bytes of one event as they lie in the broker."""
_Method = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


class DaprApp:
    """What one service offers its sidecar."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._address = f"{in_address(settings.grpc_host)}:{settings.grpc_port}"
        self._callbacks = _Callbacks()
        self._server = grpc.aio.server(
            interceptors=[_TokenGate(settings.app_api_token.get_secret_value())],
            options=[
                ("grpc.so_reuseport", 0),  # else it would share a port that is in use
                ("grpc.max_receive_message_length", LARGEST_CALL_BYTES),
            ],
        )
        services: Any = appcallback_service_v1  # the generated code has no types
        services.add_AppCallbackServicer_to_server(self._callbacks, self._server)
        services.add_AppCallbackHealthCheckServicer_to_server(self._callbacks, self._server)

    def on_method(
        self,
        name: str,
        model: type[Request],
        handle: Callable[[Request], Awaitable[BaseModel]],
        *,
        callers: Collection[str] | None = None,
    ) -> None:
        """Answer a method for the applications named in `callers`, or for all if None."""

        async def invoked(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
            caller = _caller(context)
            if callers is not None and caller not in callers:
                who = caller or "an unknown application"
                raise Problem(403, "FORBIDDEN", f"{who} may not call {name}")
            try:
                body = model.model_validate_json(data or b"{}")
            except ValidationError as error:
                raise invalid_input(error.errors(include_url=False)) from None
            return (await handle(body)).model_dump_json(exclude_none=True).encode()

        self._callbacks.methods[name] = invoked

    def on_event(self, topic: str, deliver: Deliver, *, dead_letter_topic: str | None) -> None:
        """Subscribe to a topic.

        The metadata makes the sidecar deliver the bytes of an event uninterpreted. It would
        otherwise lose what it cannot interpret, or try for ever to deliver it.
        """
        self._callbacks.topics[topic] = deliver
        self._callbacks.subscriptions.append(
            appcallback_v1.TopicSubscription(
                pubsub_name=PUBSUB,
                topic=topic,
                metadata={"rawPayload": "true"},
                routes=appcallback_v1.TopicRoutes(),
                dead_letter_topic=dead_letter_topic or "",
            )
        )

    def report(self, unhealthy: str | None) -> None:
        """Let the health check of the sidecar fail for this reason, or succeed again if None."""
        self._callbacks.unhealthy = unhealthy

    async def check_called(self) -> None:
        """Raise until the sidecar has found the service healthy; before, it refuses all calls.

        It makes its probes one after the other, so that the second shows the effect of the first.
        """
        if self._callbacks.probes <= 1:
            raise Problem(503, "SIDECAR_UNAVAILABLE", "the sidecar does not call the service yet")

    async def start(self) -> None:
        """Begin to listen; the sidecar finds the port and asks for the subscriptions.

        Raises `RuntimeError` for an address that it cannot listen on.
        """
        self._server.add_insecure_port(self._address)
        await self._server.start()

    async def wait(self) -> None:
        """Wait until the edge has stopped."""
        await self._server.wait_for_termination()

    async def stop(self) -> None:
        """Refuse new calls, finish those that are running, then close."""
        await self._server.stop(DRAIN_SECONDS)


class _Callbacks(
    appcallback_service_v1.AppCallbackServicer,
    appcallback_service_v1.AppCallbackHealthCheckServicer,
):
    """The calls of the sidecar, under Dapr's names.

    A call that the sidecar gives up is cancelled where it stands, as a crash would end it.
    """

    def __init__(self) -> None:
        self.methods: dict[str, _Method] = {}
        self.topics: dict[str, Deliver] = {}
        self.subscriptions: list[Any] = []
        self.unhealthy: str | None = None
        self.probes = 0

    async def OnInvoke(self, request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        method = self.methods.get(request.method)
        if method is None:
            return await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no {request.method}")
        reply = common_v1.InvokeResponse(content_type="application/json")
        try:
            reply.data.value = await method(request.data.value, context)
        except Problem as problem:
            await context.abort(problem.grpc_code, problem.detail)
        except Unavailable as unavailable:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(unavailable))
        return reply

    async def OnTopicEvent(  # noqa: N802
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        deliver = self.topics.get(request.topic)
        if deliver is None:
            return await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no {request.topic}")
        status: Any = await deliver(request.data)
        return appcallback_v1.TopicEventResponse(status=status)

    async def ListTopicSubscriptions(self, _: Any, __: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        return appcallback_v1.ListTopicSubscriptionsResponse(subscriptions=self.subscriptions)

    async def ListInputBindings(self, _: Any, __: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        return appcallback_v1.ListInputBindingsResponse()

    async def HealthCheck(self, _: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: N802
        if self.unhealthy is not None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, self.unhealthy)
        self.probes += 1
        return appcallback_v1.HealthCheckResponse()


def _caller(context: grpc.aio.ServicerContext) -> str | None:
    """Return the calling application, or None if no sidecar of another one vouches for it.

    A caller can send these headers itself. Then they arrive twice or, through the sidecar of the
    called application, one of them may be missing.
    """
    headers = [(name, str(value)) for name, value in context.invocation_metadata() or ()]
    app_id, namespace = (
        [value for name, value in headers if name == header] for header in CALLER_HEADERS
    )
    return app_id[0] if len(app_id) == len(namespace) == 1 else None


class _TokenGate(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpcio has no types
    """Lets in only callers with the application's token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse_without_token)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Refuse a call without the token, unless it is open to all."""
        presented = str(dict(details.invocation_metadata).get(TOKEN_HEADER, ""))
        is_open = details.method.rpartition("/")[2] in OPEN_TO_ALL
        if is_open or hmac.compare_digest(presented.encode(), self._token):
            return await continuation(details)
        return self._refusal


async def _refuse_without_token(_: Any, context: grpc.aio.ServicerContext) -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the application token is missing")
