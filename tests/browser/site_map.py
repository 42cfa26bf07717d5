"""All pages of both sites that can be opened by address, and who may open them."""

from typing import Final, NamedTuple

from orderflow_contracts.access import Role
from orderflow_contracts.names import APPROVALS, ORDERS


class PageOf(NamedTuple):
    """A page of a site, with its heading and the role needed to see it."""

    app: str
    path: str
    heading: str
    role: Role = Role.VIEWER

    def __str__(self) -> str:
        return f"{self.app}{self.path}"


PAGES: Final = (
    PageOf(APPROVALS, "/", "Inbox"),
    PageOf(APPROVALS, "/inbox/decided", "Decided"),
    PageOf(APPROVALS, "/inbox/dead-letters", "Dead letters", Role.OPERATOR),
    PageOf(
        APPROVALS,
        "/inbox/dead-letters/preview?match=all",
        "Resend dead letters",
        Role.OPERATOR,
    ),
    PageOf(APPROVALS, "/inbox/audit", "Audit", Role.OPERATOR),
    PageOf(ORDERS, "/", "Orders"),
    PageOf(ORDERS, "/board/new-order", "Place an order", Role.OPERATOR),
    PageOf(ORDERS, "/board/stock", "Stock"),
    PageOf(ORDERS, "/board/batches", "Batches"),
    PageOf(ORDERS, "/board/dead-letters", "Dead letters"),
    PageOf(
        ORDERS,
        "/board/dead-letters/preview?match=all",
        "Resend dead letters",
        Role.OPERATOR,
    ),
    PageOf(ORDERS, "/board/workflows", "Workflows"),
    PageOf(ORDERS, "/board/tasks", "Tasks"),
    PageOf(ORDERS, "/board/audit", "Audit trail", Role.OPERATOR),
)
