"""An endless workflow for each item: it reports once when stock is low."""

import json
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext, TaskFailedError, when_any

from orderflow_workflow_runtime.authoring.policies import RETRY_FOR_A_DAY
from orderflow_workflow_runtime.authoring.tasks import Task
from orders import workflow_names as names
from orders.stock.messages import Monitored, StockLevel

PAUSE_AFTER_FAILURE = timedelta(seconds=15)


def stock_monitor_workflow(
    ctx: DaprWorkflowContext, monitored: Monitored
) -> Generator[Task[Any], Any, None]:
    """Check the stock, report when it falls below the threshold, and pause.

    Low stock is reported again only after the stock has recovered. The pause is shorter while stock
    is low, and `check_now` ends it at once. Each round is a history of its own (continue as new).
    The workflow ends when its item is no longer monitored.
    """
    is_low, pause = monitored.is_low, PAUSE_AFTER_FAILURE
    try:
        level = StockLevel.model_validate(
            (yield ctx.call_activity(names.CHECK_STOCK, input=monitored))
        )
        if level.threshold is None:
            return
        if level.is_low and not is_low:
            yield ctx.call_activity(
                names.REPORT_LOW_STOCK, input=level, retry_policy=RETRY_FOR_A_DAY
            )
        is_low = level.is_low
        pause = timedelta(seconds=level.low_pause_seconds if is_low else level.pause_seconds)
        ctx.set_custom_status(
            json.dumps({"available": level.available, "threshold": level.threshold})
        )
    except TaskFailedError:  # inventory or the broker is unavailable: check again soon
        pass
    yield when_any([ctx.create_timer(pause), ctx.wait_for_external_event(names.CHECK_NOW)])
    next_round = monitored.model_copy(update={"is_low": is_low})
    ctx.continue_as_new(next_round.model_dump(), save_events=True)
