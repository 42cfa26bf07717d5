"""What the handover of decisions needs from outside."""

from typing import Protocol

from approvals.domain import Outcome
from orderflow_contracts.approvals import Decision
from orderflow_hosting.problems import Unavailable


class DecisionNotAccepted(Unavailable):
    """Orders was unreachable or did not know the order yet; the handover must be retried."""


class OrdersGateway(Protocol):
    """The orders service, whose workflows wait for decisions."""

    async def hand_over(self, order_id: str, decision: Decision) -> Outcome:
        """Deliver a decision; safe to repeat. Raises `DecisionNotAccepted`."""
        ...
