"""The console's lines about one purchase, as its statuses come."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orderflow_contracts.inventory import StockItem
from orderflow_contracts.orders import OrderStatus, OrderStatusChanged

WHY: Final = {
    "out_of_stock": "there are not enough {item} in stock, only {available}",
    "unknown_item": "there is no such item as {item}",
    "denied": "the payment was not approved",
    "approval_expired": "nobody approved the payment in time",
    "payment_declined": "the payment was declined",
    "invalid": "it is not a valid order",
    "cancelled_on_request": "somebody cancelled it",
    "undo_failed": "not everything could be undone, so somebody must look at it",
}


@dataclass(frozen=True)
class Purchase:
    """What is bought, and how much of it there was when it was ordered."""

    order_id: str
    item: str
    quantity: int
    unit_price_cents: int
    available: int

    @classmethod
    def of(cls, order_id: str, stock: StockItem, quantity: int) -> "Purchase":
        """Buy so many pieces of what lies on the shelf."""
        return cls(order_id, stock.item, quantity, stock.unit_price_cents, stock.available)


class Narrator:
    """Says each line once, in the order in which the steps are taken."""

    def __init__(
        self, purchase: Purchase, say: Callable[[str], None], left: Callable[[], int]
    ) -> None:
        self._purchase = purchase
        self._say = say
        self._left = left
        self._amount = dollars(purchase.unit_price_cents * purchase.quantity)
        self._is_paying = False

    def tell(self, change: OrderStatusChanged) -> None:
        """Say what this change means."""
        if change.total_cents is not None:
            self._amount = dollars(change.total_cents)
        match change.status:
            case OrderStatus.RECEIVED:
                self._received()
            case OrderStatus.RESERVED:
                self._reserved()
            case OrderStatus.AWAITING_APPROVAL:
                self._awaiting_approval()
            case OrderStatus.APPROVED:
                self._say(f"INFO:NotifyActivity:Payment for order {self._id} has been approved!")
                self._paying()
            case OrderStatus.PAID:
                self._paid()
            case OrderStatus.COMPLETED:
                self._completed()
            case _:
                self._ended_badly(change)

    @property
    def _id(self) -> str:
        return self._purchase.order_id

    @property
    def _goods(self) -> str:
        return f"{self._purchase.quantity} {self._purchase.item}"

    def _received(self) -> None:
        quantity, item = self._purchase.quantity, self._purchase.item
        self._say(
            f"INFO:NotifyActivity:Received order {self._id} for {self._goods} at ${self._amount} !"
        )
        self._say(
            f"INFO:VerifyInventoryActivity:Verifying inventory for order {self._id} "
            f"of {quantity} {item}"
        )

    def _reserved(self) -> None:
        item = self._purchase.item
        self._say(
            f"INFO:VerifyInventoryActivity:There are {self._purchase.available} "
            f"{item[:1].upper()}{item[1:]} available for purchase"
        )

    def _awaiting_approval(self) -> None:
        self._say(
            f"INFO:RequestApprovalActivity:Requesting approval for payment of {self._amount} USD "
            f"for {self._goods}"
        )

    def _paying(self) -> None:
        if not self._is_paying:
            self._is_paying = True
            self._say(
                f"INFO:ProcessPaymentActivity:Processing payment: {self._id} for {self._goods} "
                f"at {self._amount} USD"
            )

    def _paid(self) -> None:
        self._paying()
        self._say(
            f"INFO:ProcessPaymentActivity:Payment for request ID {self._id} processed successfully"
        )
        self._say(
            f"INFO:UpdateInventoryActivity:Checking inventory for order {self._id} "
            f"for {self._goods}"
        )

    def _completed(self) -> None:
        self._say(
            f"INFO:UpdateInventoryActivity:There are now {self._left()} {self._purchase.item} "
            "left in stock"
        )
        self._say(f"INFO:NotifyActivity:Order {self._id} has completed!")
        self._result(OrderStatus.COMPLETED)

    def _ended_badly(self, change: OrderStatusChanged) -> None:
        ended = change.status.replace("_", " ")
        why = _why(change.reason or "no reason is given", self._purchase)
        self._say(f"INFO:NotifyActivity:Order {self._id} has ended as {ended}: {why}")
        self._result(change.status)

    def _result(self, status: OrderStatus) -> None:
        self._say(f"Workflow completed! Result: {status.upper()}")
        self._say(f"  Purchase of item is {status.upper()}")


def _why(reason: str, purchase: Purchase) -> str:
    if reason in WHY:
        return WHY[reason].format(item=purchase.item, available=purchase.available)
    return reason.replace("_", " ")


def dollars(cents: int) -> str:
    """Write cents as dollars the way the console does: no more digits than there must be.

    >>> dollars(16500000), dollars(1250)
    ('165000', '12.50')
    """
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)
