"""The site of orders and its menu."""

from typing import Final

from orderflow_contracts.fields import Clock, now
from orderflow_hosting.web import MenuItem, Site

MENU: Final = (
    MenuItem("Board", "/"),
    MenuItem("Stock", "/board/stock"),
    MenuItem("Batches", "/board/batches"),
    MenuItem("Tasks", "/board/tasks"),
    MenuItem("Dead letters", "/board/dead-letters"),
    MenuItem("Workflows", "/board/workflows"),
    MenuItem("Audit", "/board/audit", "operator"),
)


TONES: Final = {
    **dict.fromkeys(("completed", "approved", "paid", "COMPLETED"), "good"),
    **dict.fromkeys(("received", "reserved", "running", "assigned", "RUNNING", "PENDING"), "busy"),
    **dict.fromkeys(("awaiting_approval", "SUSPENDED"), "wait"),
    **dict.fromkeys(("cancelled", "TERMINATED"), "quiet"),
    **dict.fromkeys(("rejected", "failed", "timed_out", "FAILED"), "bad"),
    **dict.fromkeys(("needs_attention", "STALLED"), "alarm"),
}
"""The colours of the statuses of orders, batches, tasks and workflows."""


def orders_site(inbox_url: str, clock: Clock = now) -> Site:
    """Create the site of these pages, whose menu also links to the inbox."""
    inbox = MenuItem("Inbox", f"{inbox_url.rstrip('/')}/")
    return Site("Orders", "orders", (*MENU, inbox), TONES, clock)
