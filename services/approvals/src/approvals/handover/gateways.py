"""Calls orders through the sidecar."""

import grpc.aio
from pydantic import ValidationError

from approvals.domain import Outcome
from approvals.handover.ports import DecisionNotAccepted
from orderflow_contracts import names
from orderflow_contracts.approvals import Decision, RaiseReply, RaiseRequest
from orderflow_hosting.sidecar import InvocationRefused, Sidecar


class DaprOrders:
    """The application `orders`, invoked through Dapr."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Let orders raise the decision in the workflow that waits for it."""
        request = RaiseRequest(order_id=order_id, data=decision)
        try:
            reply = await self._sidecar.invoke(names.ORDERS, names.RAISE, request)
            return RaiseReply.model_validate_json(reply).outcome
        except grpc.aio.AioRpcError as error:
            raise DecisionNotAccepted(f"{error.code().name}: {error.details()}") from error
        except InvocationRefused as error:
            # A refusal may be temporary: orders may not know the order yet, or may run an older
            # version than this service.
            raise DecisionNotAccepted(str(error)) from error
        except ValidationError as error:
            raise DecisionNotAccepted(f"unexpected reply from orders: {error}") from error
