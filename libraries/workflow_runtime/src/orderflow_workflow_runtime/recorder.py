"""Reads complete histories from a live sidecar."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import grpc
from dapr.ext.workflow._durabletask.internal import protos
from dapr.proto import api_service_v1, api_v1

from orderflow_contracts.fields import Clock, now
from orderflow_workflow_runtime.histories import HistoryUnavailable, NoHistory, Recording
from orderflow_workflow_runtime.upstream import error_texts, history_payloads
from orderflow_workflow_runtime.upstream.half_written_reads import PAUSES_SECONDS, is_half_written

TIMEOUT_SECONDS: Final = 30.0
PAGE_SIZE: Final = 500
UNLIMITED: Final = -1
"""A history may be larger than the 4 MiB that gRPC accepts by default."""

_FINISHED: Final = frozenset(
    {
        protos.ORCHESTRATION_STATUS_COMPLETED,
        protos.ORCHESTRATION_STATUS_FAILED,
        protos.ORCHESTRATION_STATUS_TERMINATED,
    }
)


class Recorder:
    """Reads histories from a sidecar, at a gRPC address such as `127.0.0.1:50101`."""

    def __init__(self, address: str, clock: Clock = now) -> None:
        self._clock = clock
        self._address = address
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", UNLIMITED),
                ("grpc.enable_http_proxy", 0),  # the sidecar is reached directly
            ],
        )
        self._engine = history_payloads.engine_stub(self._channel)
        self._api: Any = api_service_v1.DaprStub(self._channel)
        self._versions: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def record(self, instance_id: str) -> Recording:
        """Read the whole history of an instance. Raises `HistoryUnavailable`."""
        request = history_payloads.history_request(instance_id)
        events = list(self._request(self._engine.GetInstanceHistory, request, instance_id).events)
        if not events:
            raise NoHistory(f"there is no workflow {instance_id} that has started")
        return Recording.of(instance_id, events, self._known_versions(), self._clock())

    def unfinished(self) -> Iterator[str]:
        """Yield the id of every instance that has not finished, in the store's order."""
        token: str | None = None
        while True:
            request = protos.ListInstanceIDsRequest(pageSize=PAGE_SIZE, continuationToken=token)
            page = self._request(self._engine.ListInstanceIDs, request, "the list of workflows")
            for instance_id in page.instanceIds:
                if self._is_unfinished(instance_id):
                    yield instance_id
            token = page.continuationToken
            if not token:
                return

    def _is_unfinished(self, instance_id: str) -> bool:
        request = protos.GetInstanceRequest(instanceId=instance_id, getInputsAndOutputs=False)
        reply = self._request(self._engine.GetInstance, request, instance_id)
        return reply.exists and reply.workflowState.workflowStatus not in _FINISHED

    def _known_versions(self) -> dict[str, str]:
        if not self._versions:
            metadata = self._request(
                self._api.GetMetadata, api_v1.GetMetadataRequest(), "its version"
            )
            self._versions = {"dapr": metadata.runtime_version, "sdk": version("dapr")}
        return self._versions

    def _request(self, call: Any, request: Any, what: str) -> Any:
        for pause in (*PAUSES_SECONDS, None):
            try:
                return call(request, timeout=TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                if error_texts.is_unknown_instance(error):
                    raise NoHistory(f"there is no workflow {what}") from error
                if pause is None or not is_half_written(error):
                    raise HistoryUnavailable(
                        f"the sidecar at {self._address} does not return {what}: "
                        f"{error_texts.details_of(error)}"
                    ) from error
                time.sleep(pause)
        raise AssertionError  # the last attempt returns or raises
