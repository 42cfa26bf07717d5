"""Orders behind the port of the handover, by way of the sidecar."""

import grpc.aio
from pydantic import ValidationError

from approvals.domain import Outcome
from approvals.handover import NotAnswered
from orderflow_contracts import names
from orderflow_contracts.approvals import Decision, RaiseReply, RaiseRequest
from orderflow_hosting.sidecar import InvocationRefused, Sidecar


class DaprOrders:
    """The application `orders`."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Have orders raise the decision in the workflow that waits for it."""
        request = RaiseRequest(order_id=order_id, data=decision)
        try:
            reply = await self._sidecar.invoke(names.ORDERS, names.RAISE, request)
            return RaiseReply.model_validate_json(reply).outcome
        except grpc.aio.AioRpcError as error:
            raise NotAnswered(f"{error.code().name}: {error.details()}") from error
        except InvocationRefused as error:
            # Even a refusal may pass: the order may be on its way to orders still, or orders may
            # be of an older version than this service.
            raise NotAnswered(str(error)) from error
        except ValidationError as error:
            raise NotAnswered(f"an answer that makes no sense: {error}") from error
