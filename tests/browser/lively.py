"""A shop with content on every page."""

from contextlib import closing
from dataclasses import dataclass
from typing import Self

from browser.site_map import PAGES, PageOf
from orderflow_contracts.access import Role
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform
from system.shop import Shop, new_id, wait_for


@dataclass(frozen=True)
class Lively:
    """Ids of what exists: an order that waits, others that have ended, and so on."""

    waiting: str
    completed: str
    denied: str
    batch: str
    workflow: str

    @classmethod
    def made(cls, platform: Platform) -> Self:
        """Create all of it."""
        with closing(Shop(platform)) as shop:
            return cls._made(shop)

    @classmethod
    def _made(cls, shop: Shop) -> Self:
        shop.restock()
        waiting, denied = shop.submit("cars", 11, "rio motors"), shop.submit("cars", 12, "dana")
        completed, batch = shop.submit("paperclip", 3, "alice"), new_id("batch")
        orders = [shop.order_data(new_id(), "computers", 1, "school") for _ in range(3)]
        shop.publish("orders.batch-submitted", {"batch_id": batch, "orders": orders})
        shop.publish("orders.submitted", {"order_id": "not/an/id", "customer_id": "nobody"})
        suffix = new_id("seen")
        started = shop.http.post(
            shop.url("orders", f"/workflows/start/{suffix}"), params={"user_name": "vera"}
        )
        assert started.status_code == 202, started.text
        shop.wait_approval(denied, "pending")
        shop.decide(denied, approved=False, comment="Not this year.")
        shop.wait_status(denied, "rejected")
        shop.wait_status(completed, "completed")
        shop.wait_approval(waiting, "pending")
        for order in orders:
            shop.wait_status(order["order_id"], "completed")
        wait_for("a dead letter", lambda: shop.dead_letters("orders"))
        return cls(waiting, completed, denied, batch, f"iwf-{suffix}")

    @property
    def pages(self) -> tuple[PageOf, ...]:
        """All pages, including those of single orders, batches and workflows."""
        order, request = f"/board/orders/{self.waiting}", f"/inbox/requests/{self.waiting}"
        workflow = f"/board/workflows/{self.workflow}"
        return (
            *PAGES,
            PageOf(APPROVALS, request, self.waiting),
            PageOf(APPROVALS, f"{request}/confirm?decision=approve", "Approve $", Role.APPROVER),
            PageOf(APPROVALS, f"/inbox/requests/{self.denied}", self.denied),
            PageOf(APPROVALS, "/inbox/decided?text=nothing+has+this", "Decided"),
            PageOf(ORDERS, order, self.waiting),
            PageOf(ORDERS, f"{order}/cancel", self.waiting, Role.OPERATOR),
            PageOf(ORDERS, f"/board/orders/{self.completed}", self.completed),
            PageOf(ORDERS, f"/board/orders/{self.denied}", self.denied),
            PageOf(ORDERS, "/?id=no-such-order", "Orders"),
            PageOf(ORDERS, f"/board/batches/{self.batch}", self.batch),
            PageOf(ORDERS, "/board/dead-letters/1", "Dead letter 1"),
            PageOf(ORDERS, "/board/dead-letters?q=nothing-has-this", "Dead letters"),
            PageOf(
                ORDERS,
                "/board/dead-letters/discard?letter=1",
                "Discard dead letters",
                Role.OPERATOR,
            ),
            PageOf(ORDERS, workflow, self.workflow),
            PageOf(ORDERS, f"{workflow}/terminate", self.workflow, Role.OPERATOR),
            PageOf(ORDERS, f"{workflow}/raise", self.workflow, Role.OPERATOR),
        )
