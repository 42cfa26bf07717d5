"""Dapr behind the ports: inventory, the events that orders publishes, and the workflow engine."""

import grpc.aio
from dapr.ext.workflow.aio import DaprWorkflowClient
from pydantic import BaseModel

from orderflow_contracts import names
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn
from orderflow_contracts.inventory import (
    RESERVE_REPLY,
    CommitRequest,
    Committed,
    ReleaseRequest,
    ReservationRejected,
    Reserved,
    ReserveRequest,
)
from orderflow_contracts.orders import OrderStatusChanged
from orderflow_hosting.settings import ServiceSettings
from orderflow_hosting.sidecar import Sidecar
from orders.ports import AlreadyRunning, EngineUnavailable, NoSuchInstance


class DaprInventory:
    """Inventory, invoked through the sidecars."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def reserve(self, request: ReserveRequest) -> Reserved | ReservationRejected:
        """Invoke `reserve`."""
        reply = await self._sidecar.invoke(names.INVENTORY, names.RESERVE, request)
        return RESERVE_REPLY.validate_json(reply)

    async def commit(self, order_id: str) -> Committed:
        """Invoke `commit`."""
        request = CommitRequest(order_id=order_id)
        reply = await self._sidecar.invoke(names.INVENTORY, names.COMMIT, request)
        return Committed.model_validate_json(reply)

    async def release(self, order_id: str) -> None:
        """Invoke `release`."""
        request = ReleaseRequest(order_id=order_id)
        await self._sidecar.invoke(names.INVENTORY, names.RELEASE, request)


class DaprAnnouncer:
    """Publishes what happened as CloudEvents whose ids let a consumer tell a second delivery."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def status_changed(self, change: OrderStatusChanged) -> None:
        """Publish on `orders.status`."""
        await self._sidecar.publish(
            names.ORDERS_STATUS, change, subject=change.order_id, event_id=change.event_id
        )

    async def approval_requested(self, request: ApprovalRequested) -> None:
        """Publish on `approvals.requested`."""
        await self._publish(names.APPROVALS_REQUESTED, request.order_id, request)

    async def approval_withdrawn(self, withdrawal: ApprovalWithdrawn) -> None:
        """Publish on `approvals.withdrawn`."""
        await self._publish(names.APPROVALS_WITHDRAWN, withdrawal.order_id, withdrawal)

    async def _publish(self, topic: str, order_id: str, message: BaseModel) -> None:
        event_id = f"{order_id}.{topic.partition('.')[2]}"
        await self._sidecar.publish(topic, message, subject=order_id, event_id=event_id)


class DaprEngine:
    """Dapr's workflow engine in the sidecar.

    The engine tells its failures by text under one gRPC code, so the text is what is looked at.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._client = DaprWorkflowClient(settings.dapr_host, str(settings.dapr_grpc_port))

    async def start(self, workflow: str, instance_id: str, payload: BaseModel) -> None:
        """Schedule a new instance."""
        try:
            await self._client.schedule_new_workflow(
                workflow, instance_id=instance_id, input=payload.model_dump(mode="json")
            )
        except grpc.aio.AioRpcError as error:
            if "already exists" in (error.details() or ""):
                raise AlreadyRunning(instance_id) from error
            raise _unavailable(error) from error

    async def knows(self, instance_id: str) -> bool:
        """Ask for the instance's state, without what it carries."""
        try:
            state = await self._client.get_workflow_state(instance_id, fetch_payloads=False)
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error) from error
        return state is not None

    async def raise_event(self, instance_id: str, event: str, payload: BaseModel | None) -> None:
        """Raise an external event."""
        data = payload.model_dump(mode="json") if payload is not None else None
        try:
            await self._client.raise_workflow_event(instance_id, event, data=data)
        except grpc.aio.AioRpcError as error:
            if "no such instance exists" in (error.details() or ""):
                raise NoSuchInstance(instance_id) from error
            raise _unavailable(error) from error


def _unavailable(error: grpc.aio.AioRpcError) -> EngineUnavailable:
    return EngineUnavailable(error.details() or error.code().name)
