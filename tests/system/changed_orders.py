"""The orders service with a changed workflow: each customer is screened first.

    python tests/system/changed_orders.py guarded|careless

It is the example of docs/how-to/change-a-workflow.md: `guarded` keeps the old path for orders that
started before the change, `careless` does not.
"""

import sys
from collections.abc import Generator
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, WorkflowActivityContext

from orderflow_workflow_runtime.authoring.payload import Payload
from orders import main
from orders.domain import Ending
from orders.ordering import build, steps
from orders.ordering import workflow as order_processing
from orders.ordering.actions import Step
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import OrderRun

SCREEN = Step(
    activity="screen_customer_activity",
    name="Screen customer",
    done="Customer screened",
    fails_as="screening_unavailable",
)


class Screening(Payload):
    """Input of `screen_customer_activity`."""

    order_id: str
    customer_id: str


class ScreeningActivities(OrderActivities):
    """The activities of orders, and one more."""

    async def screen_customer_activity(self, _: WorkflowActivityContext, __: Screening) -> bool:
        """Accept every customer."""
        return True


class ScreenedOrderProcess(order_processing._OrderProcess):
    """The order workflow with one more step."""

    def __init__(self, ctx: DaprWorkflowContext, order: OrderRun) -> None:
        super().__init__(ctx, order)
        # Asked first, so that an order runs entirely by the old code or entirely by the new.
        self._is_screened = "careless" in sys.argv or ctx.is_patched("screen-customer")

    def _reserve(self) -> Generator[Any, Any, Ending | None]:
        if self._is_screened:
            order = self._order
            self._begin(SCREEN)
            screening = Screening(order_id=order.order_id, customer_id=order.customer_id)
            yield self._call(SCREEN, screening)
        return (yield from super()._reserve())


if __name__ == "__main__":
    vars(order_processing)["_OrderProcess"] = ScreenedOrderProcess
    vars(build)["OrderActivities"] = ScreeningActivities
    vars(steps)["ACTIVITIES"] = (*steps.ACTIVITIES, SCREEN.activity)
    main.main()
