"""The service's own sidecar: one long-lived connection, used from asyncio.

The generated stubs of Dapr's API are called directly. The SDK's client over the same stubs
blocks for up to a minute when it is created, and sends every invocation through a second, HTTP
connection or a deprecated wrapper; see docs/adr.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import grpc
import grpc.aio
import httpx
from dapr.proto import api_service_v1, api_v1, common_v1
from pydantic import BaseModel

from orderflow_contracts.names import PUBSUB
from orderflow_hosting.deadlines import WithDeadline
from orderflow_hosting.events import STRUCTURED
from orderflow_hosting.problems import Problem
from orderflow_hosting.settings import ServiceSettings

TIMEOUT_SECONDS = 10.0
HTTP_SECONDS = 2.0
PERMANENT = {
    grpc.StatusCode.INVALID_ARGUMENT: 422,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}
"""The statuses of a called service that a retry will not change, and the HTTP status of each."""

_AS_IT_IS = {"rawPayload": "true"}

WORKFLOW_ACTORS = ".workflow"
"""The suffix of the type of workflow actors: `dapr.internal.<namespace>.<app>.workflow`."""

RECONNECTING: Final = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
)
"""Options of a channel to the sidecar: gRPC would pause for up to two minutes between attempts."""


class InvocationRefused(Problem):
    """The called service refused permanently: a retry would get the same reply."""

    def __init__(self, app_id: str, method: str, status: int, detail: str) -> None:
        super().__init__(status, "INVOCATION_REFUSED", f"{app_id} refused {method}: {detail}")


@dataclass(frozen=True)
class StateEntry:
    """A value in a state store: its bytes (empty when absent) and its ETag (None when absent)."""

    data: bytes
    etag: str | None


class Sidecar:
    """Dapr's API for one application.

    Calls raise `grpc.aio.AioRpcError` when they fail or take longer than `TIMEOUT_SECONDS`.
    """

    def __init__(self, app_id: str, settings: ServiceSettings) -> None:
        self._app_id = app_id
        # The environment's proxy settings must not apply to the service's own sidecar.
        self._http = httpx.AsyncClient(
            base_url=settings.sidecar_http, timeout=HTTP_SECONDS, trust_env=False
        )
        self._channel = grpc.aio.insecure_channel(
            settings.sidecar_grpc,
            options=[
                ("grpc.max_receive_message_length", 16 * 1024 * 1024),
                *RECONNECTING,
            ],
        )
        stub: Any = api_service_v1.DaprStub
        self._api = WithDeadline(stub(self._channel), TIMEOUT_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def publish_raw(self, topic: str, event: bytes) -> None:
        """Publish an event that is written already: the sidecar neither wraps nor changes it."""
        request = api_v1.PublishEventRequest(
            pubsub_name=PUBSUB,
            topic=topic,
            data=event,
            data_content_type=STRUCTURED,
            metadata=_AS_IT_IS,
        )
        await self._api.PublishEvent(request)

    async def publish_together(
        self, topic: str, events: Sequence[tuple[str, bytes]], *, seconds: float
    ) -> None:
        """Publish events that are written already, each with its key, in any sequence.

        The keys are different and in plain ASCII. A broker with partitions keeps the sequence of
        the events with one key. After an error or `seconds`, some of the events may be published.
        """
        request = api_v1.BulkPublishRequest(pubsub_name=PUBSUB, topic=topic, metadata=_AS_IT_IS)
        for key, event in events:
            request.entries.add(
                entry_id=key, event=event, content_type=STRUCTURED, metadata={"partitionKey": key}
            )
        await self._api.BulkPublishEvent(request, timeout=seconds)

    async def invoke(self, app_id: str, method: str, request: BaseModel) -> bytes:
        """Call a method of another application and return its JSON reply.

        Raises `InvocationRefused` for a refusal that will not change, and the gRPC error for
        one that may.
        """
        message = common_v1.InvokeRequest(method=method, content_type="application/json")
        message.data.value = request.model_dump_json().encode()
        try:
            reply = await self._api.InvokeService(
                api_v1.InvokeServiceRequest(id=app_id, message=message), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            status = PERMANENT.get(error.code())
            if status is None:
                raise
            raise InvocationRefused(app_id, method, status, error.details() or "") from error
        return bytes(reply.data.value)

    async def read_state(self, store: str, keys: Sequence[str]) -> dict[str, StateEntry]:
        """Read keys of a state store; an absent key has an entry without an ETag."""
        reply = await self._api.GetBulkState(
            api_v1.GetBulkStateRequest(store_name=store, keys=keys, parallelism=4),
        )
        failed = [item for item in reply.items if item.error]
        if failed:
            raise Problem(503, "STORE_UNAVAILABLE", f"{failed[0].key}: {failed[0].error}")
        return {item.key: StateEntry(item.data, item.etag or None) for item in reply.items}

    async def read_one(self, store: str, key: str) -> StateEntry:
        """Read one key of a state store; an absent key has an entry without an ETag."""
        reply = await self._api.GetState(
            api_v1.GetStateRequest(store_name=store, key=key), timeout=TIMEOUT_SECONDS
        )
        return StateEntry(reply.data, reply.etag or None)

    async def write_one(self, store: str, key: str, data: bytes) -> None:
        """Write one key of a state store, overwriting any value."""
        item = common_v1.StateItem(key=key, value=data)
        request = api_v1.SaveStateRequest(store_name=store, states=[item])
        await self._api.SaveState(request)

    async def transact(self, store: str, upserts: dict[str, StateEntry]) -> None:
        """Write all keys or none; each must still have its entry's ETag, or still be absent."""
        operations = []
        for key, entry in upserts.items():
            item = common_v1.StateItem(key=key, value=entry.data)
            item.options.concurrency = common_v1.StateOptions.CONCURRENCY_FIRST_WRITE
            if entry.etag is not None:
                item.etag.value = entry.etag
            operations.append(
                api_v1.TransactionalStateOperation(operationType="upsert", request=item)
            )
        await self._api.ExecuteStateTransaction(
            api_v1.ExecuteStateTransactionRequest(storeName=store, operations=operations),
        )

    async def check(self) -> None:
        """Raise if the sidecar does not answer or its components are not ready."""
        response = await self._http.get("/v1.0/healthz/outbound")
        response.raise_for_status()

    async def version(self) -> str:
        """Return the version of Dapr that the sidecar reports, such as `1.18.1`, or `unknown`."""
        return str((await self._metadata()).get("runtimeVersion", ""))

    async def check_workflows(self) -> None:
        """Raise if the sidecar runs no workflows, which its own health check does not show.

        Workflows need a scheduler, placement and actors that are not stalled (see
        `is_stalled`).
        """
        metadata = await self._metadata()
        if not metadata.get("scheduler", {}).get("connected_addresses"):
            raise Problem(503, "SIDECAR_UNAVAILABLE", "the sidecar has no scheduler")
        if not metadata.get("actorRuntime", {}).get("hostReady"):
            raise Problem(503, "SIDECAR_UNAVAILABLE", "the sidecar's actors have no placement")
        if not _hosts_workflows(metadata):
            raise Problem(503, "SIDECAR_UNAVAILABLE", "the sidecar hosts no workflows")

    async def is_stalled(self) -> bool:
        """Return whether the sidecar's actors are running without workflows among them.

        It hosts workflows as soon as a worker connects. Raises `httpx.HTTPError` if it is down.
        """
        metadata = await self._metadata()
        is_up = metadata.get("actorRuntime", {}).get("runtimeStatus") == "RUNNING"
        return is_up and not _hosts_workflows(metadata)

    async def shut_down(self) -> None:
        """Shut the sidecar down; its supervisor starts it again."""
        (await self._http.post("/v1.0/shutdown")).raise_for_status()

    async def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = (
            (await self._http.get("/v1.0/metadata")).raise_for_status().json()
        )
        return metadata

    async def close(self) -> None:
        """Close the connections."""
        try:
            await self._channel.close()
        finally:
            await self._http.aclose()


def _hosts_workflows(metadata: dict[str, Any]) -> bool:
    """Return whether the actor type that runs workflows is hosted."""
    hosted = metadata.get("actorRuntime", {}).get("activeActors", [])
    return any(str(actor.get("type", "")).endswith(WORKFLOW_ACTORS) for actor in hosted)
