"""The site of orders, with its whole menu."""

from typing import Final

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


def orders_site(inbox_url: str) -> Site:
    """Make the site whose pages the modules beside this one serve; its menu leads to the inbox."""
    return Site("Orders", "orders", (*MENU, MenuItem("Inbox", f"{inbox_url.rstrip('/')}/")))
