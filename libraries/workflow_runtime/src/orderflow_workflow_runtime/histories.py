"""Recorded histories: what the engine keeps of an instance, as a file and from the live sidecar."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Self

import grpc
from dapr.ext.workflow._durabletask.internal import (  # the SDK's client leaves out too much
    orchestrator_service_pb2_grpc,
    protos,
)
from dapr.proto import api_service_v1, api_v1
from google.protobuf import json_format
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

ANSWER_SECONDS: Final = 30.0
PAUSES_WHILE_WRITTEN: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""The engine may write an instance while it reads it; it does not lock the two."""
PAGE_SIZE: Final = 500
UNLIMITED: Final = -1
"""A history may be larger than the 4 MiB that gRPC takes by default."""

_FINISHED: Final = frozenset(
    {
        protos.ORCHESTRATION_STATUS_COMPLETED,
        protos.ORCHESTRATION_STATUS_FAILED,
        protos.ORCHESTRATION_STATUS_TERMINATED,
    }
)


class HistoryUnavailable(Exception):
    """A history could not be read; the message says which, and why."""


class NoHistory(HistoryUnavailable):
    """There is no such instance, or it has not begun."""


class Recording(BaseModel):
    """The history of one instance as it was at a moment: the engine's events, none left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    workflow: str
    recorded_at: AwareDatetime
    versions: dict[str, str] = {}
    events: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, instance_id: str, events: list[Any], versions: dict[str, str]) -> Self:
        """Record these events of the engine's, now."""
        started = [event.executionStarted.name for event in events if _starts(event)]
        return cls(
            instance_id=instance_id,
            workflow=started[-1] if started else "",
            recorded_at=datetime.now(UTC),
            versions=versions,
            events=tuple(json_format.MessageToDict(event) for event in events),
        )

    @classmethod
    def read(cls, text: str | bytes, source: str) -> Self:
        """Read a recording from what a file holds. Raises `HistoryUnavailable`."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            what = error.errors()[0]
            where = ".".join(map(str, what["loc"]))
            raise HistoryUnavailable(
                f"{source} is no recorded history: {where + ': ' if where else ''}{what['msg']}"
            ) from error

    def history(self) -> list[Any]:
        """Return the events as the engine's messages. Raises `HistoryUnavailable`."""
        try:
            return [
                json_format.ParseDict(event, protos.HistoryEvent(), ignore_unknown_fields=True)
                for event in self.events
            ]
        except json_format.ParseError as error:
            raise HistoryUnavailable(f"{self.instance_id}: {error}") from error


class Recorder:
    """Reads histories from the sidecar of orders, at an address such as `127.0.0.1:50101`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", UNLIMITED),
                (
                    "grpc.enable_http_proxy",
                    0,
                ),  # the address is given on purpose
            ],
        )
        self._hub: Any = orchestrator_service_pb2_grpc.TaskHubSidecarServiceStub(self._channel)
        self._api: Any = api_service_v1.DaprStub(self._channel)
        self._versions: dict[str, str] = {}

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()

    def record(self, instance_id: str) -> Recording:
        """Read the whole history of an instance. Raises `HistoryUnavailable`."""
        request = protos.GetInstanceHistoryRequest(instanceId=instance_id)
        events = list(self._ask(self._hub.GetInstanceHistory, request, instance_id).events)
        if not events:
            raise NoHistory(f"there is no workflow {instance_id} that has begun")
        return Recording.of(instance_id, events, self._known_versions())

    def unfinished(self) -> Iterator[str]:
        """Find every instance that has not come to its end, in an order of the store's."""
        token: str | None = None
        while True:
            request = protos.ListInstanceIDsRequest(pageSize=PAGE_SIZE, continuationToken=token)
            page = self._ask(self._hub.ListInstanceIDs, request, "the list of workflows")
            for instance_id in page.instanceIds:
                if self._is_unfinished(instance_id):
                    yield instance_id
            token = page.continuationToken
            if not token:
                return

    def _is_unfinished(self, instance_id: str) -> bool:
        request = protos.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=False)
        answer = self._ask(self._hub.GetInstance, request, instance_id)
        return answer.exists and answer.workflowState.workflowStatus not in _FINISHED

    def _known_versions(self) -> dict[str, str]:
        if not self._versions:
            metadata = self._ask(self._api.GetMetadata, api_v1.GetMetadataRequest(), "its version")
            self._versions = {"dapr": metadata.runtime_version, "sdk": version("dapr")}
        return self._versions

    def _ask(self, call: Any, request: Any, what: str) -> Any:
        for pause in (*PAUSES_WHILE_WRITTEN, None):
            try:
                return call(request, timeout=ANSWER_SECONDS)
            except grpc.RpcError as error:
                answered: Any = error
                details = answered.details() or answered.code().name
                unknown = answered.code() is grpc.StatusCode.NOT_FOUND
                if unknown or "no such instance" in details:
                    raise NoHistory(f"there is no workflow {what}") from error
                if pause is None or "missing from state store" not in details:
                    raise HistoryUnavailable(
                        f"the sidecar at {self._address} does not give {what}: {details}"
                    ) from error
                time.sleep(pause)
        raise AssertionError  # the last try returns or raises


def _starts(event: Any) -> bool:
    return bool(event.WhichOneof("eventType") == "executionStarted")
