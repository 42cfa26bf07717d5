"""Builds the stock monitors."""

from orders import workflow_names
from orders.parts import Base, Part, named
from orders.stock.service import StockMonitors


def build(base: Base) -> Part:
    """Wire the stock monitors."""
    monitors = StockMonitors(
        *(base.settings, base.engine, base.inventory, base.database, base.background),
        clock=base.clock,
    )
    return Part(
        activities=named(monitors, workflow_names.MONITOR_ACTIVITIES),
        jobs=(monitors.start,),
    )
