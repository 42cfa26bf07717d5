"""The lines that the console prints about one order as its status changes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orderflow_contracts.inventory import StockItem
from orderflow_contracts.orders import OrderStatus, OrderStatusChanged

REASONS: Final = {
    "out_of_stock": "there are not enough {item} in stock, only {available}",
    "unknown_item": "there is no such item as {item}",
    "denied": "the payment was not approved",
    "approval_expired": "the payment was not approved in time",
    "payment_declined": "the payment was declined",
    "invalid": "the order is not valid",
    "id_taken": "its ID belongs to a workflow that is not an order",
    "cancelled_on_request": "it was cancelled on request",
    "undo_failed": "the rollback is incomplete and an operator must act",
}


@dataclass(frozen=True)
class Purchase:
    """What is bought, and how much of it was available at the time."""

    order_id: str
    item: str
    quantity: int
    unit_price_cents: int
    available: int

    @classmethod
    def of(cls, order_id: str, stock: StockItem, quantity: int) -> "Purchase":
        """Return the purchase of a quantity of an item in stock."""
        return cls(order_id, stock.item, quantity, stock.unit_price_cents, stock.available)


class PurchaseProgress:
    """Prints each line once, in the order of the steps."""

    def __init__(
        self, purchase: Purchase, print_line: Callable[[str], None], on_hand: Callable[[], int]
    ) -> None:
        self._purchase = purchase
        self._print_line = print_line
        self._on_hand = on_hand
        self._amount = dollars(purchase.unit_price_cents * purchase.quantity)
        self._is_paying = False

    def report(self, change: OrderStatusChanged) -> None:
        """Print the lines for a status change."""
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
                self._print_line(
                    f"INFO:NotifyActivity:Payment for order {self._id} has been approved!"
                )
                self._paying()
            case OrderStatus.PAID:
                self._paid()
            case OrderStatus.COMPLETED:
                self._completed()
            case status if status.is_final:
                self._failed(change)
            case status:
                words = status.replace("_", " ")
                self._print_line(f"INFO:NotifyActivity:Order {self._id} is now {words}")

    @property
    def _id(self) -> str:
        return self._purchase.order_id

    @property
    def _goods(self) -> str:
        return f"{self._purchase.quantity} {self._purchase.item}"

    def _received(self) -> None:
        quantity, item = self._purchase.quantity, self._purchase.item
        self._print_line(
            f"INFO:NotifyActivity:Received order {self._id} for {self._goods} at ${self._amount} !"
        )
        self._print_line(
            f"INFO:VerifyInventoryActivity:Verifying inventory for order {self._id} "
            f"of {quantity} {item}"
        )

    def _reserved(self) -> None:
        item = self._purchase.item
        self._print_line(
            f"INFO:VerifyInventoryActivity:There are {self._purchase.available} "
            f"{item[:1].upper()}{item[1:]} available for purchase"
        )

    def _awaiting_approval(self) -> None:
        self._print_line(
            f"INFO:RequestApprovalActivity:Requesting approval for payment of {self._amount} USD "
            f"for {self._goods}"
        )

    def _paying(self) -> None:
        if not self._is_paying:
            self._is_paying = True
            self._print_line(
                f"INFO:ProcessPaymentActivity:Processing payment: {self._id} for {self._goods} "
                f"at {self._amount} USD"
            )

    def _paid(self) -> None:
        self._paying()
        self._print_line(
            f"INFO:ProcessPaymentActivity:Payment for request ID {self._id} processed successfully"
        )
        self._print_line(
            f"INFO:UpdateInventoryActivity:Checking inventory for order {self._id} "
            f"for {self._goods}"
        )

    def _completed(self) -> None:
        self._print_line(
            f"INFO:UpdateInventoryActivity:There are now {self._on_hand()} {self._purchase.item} "
            "left in stock"
        )
        self._print_line(f"INFO:NotifyActivity:Order {self._id} has completed!")
        self._result(OrderStatus.COMPLETED)

    def _failed(self, change: OrderStatusChanged) -> None:
        ended = change.status.replace("_", " ")
        why = _why(change.reason or "no reason given", self._purchase)
        self._print_line(f"INFO:NotifyActivity:Order {self._id} has ended as {ended}: {why}")
        self._result(change.status)

    def _result(self, status: OrderStatus) -> None:
        self._print_line(f"Workflow completed! Result: {status.upper()}")
        self._print_line(f"  Purchase of item is {status.upper()}")


def _why(reason: str, purchase: Purchase) -> str:
    if reason in REASONS:
        return REASONS[reason].format(item=purchase.item, available=purchase.available)
    return reason.replace("_", " ")


def dollars(cents: int) -> str:
    """Format cents as dollars, without a fraction if it is zero.

    >>> dollars(16500000), dollars(1250)
    ('165000', '12.50')
    """
    whole, rest = divmod(cents, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)
