"""The services as one small fake on a free loopback port, and a way to run the command."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orderflow_cli.main import main
from orderflow_cli.settings import Settings

NOW = "2026-01-02T03:04:05Z"
PRICES = {"paperclip": 5_00, "cars": 15_000_00, "computers": 500_00}
THRESHOLD_CENTS = 50_000_00
STREAM_END = "end"


@dataclass
class Shop:
    """Carries orders the way the services do, as soon as their events are published."""

    stock: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRICES, 100))
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    letters: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"orders": [], "approvals": []}
    )
    published: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    resent: list[str] = field(default_factory=list)
    feed: list[str | dict[str, Any]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    unknown_decisions: int = 0
    """So many decisions come before their request does."""
    declines: bool = False
    expires: bool = False
    hidden: frozenset[str] = frozenset()
    """Statuses that the feed does not tell, though the orders have them."""
    feed_breaks_after: frozenset[str] = frozenset()
    """Statuses after which the feed's connection ends."""
    refuses_events: bool = False

    def submit(self, event: dict[str, Any]) -> None:
        """Take an event in."""
        self.published.append(event)
        data = event["data"]
        if not isinstance(data, dict) or data.get("order_id") in self.orders:
            return
        lines = data.get("lines") or [{"item": data["item"], "quantity": data["quantity"]}]
        order_id = data.get("order_id") or event["id"]
        self.orders[order_id] = {
            "order_id": order_id,
            "customer_id": data.get("customer_id", "anonymous"),
            "lines": lines,
            "history": [],
            "created_at": NOW,
        }
        self.move(order_id, "received")
        if any(line["quantity"] > self.stock[line["item"]] for line in lines):
            return self.move(order_id, "rejected", "out_of_stock")
        total = sum(PRICES[line["item"]] * line["quantity"] for line in lines)
        self.orders[order_id]["total_cents"] = total
        self.move(order_id, "reserved")
        if total <= THRESHOLD_CENTS:
            return self.pay(order_id)
        self.approvals[order_id] = {
            "order_id": order_id,
            "customer_id": "anonymous",
            "lines": lines,
            "total_cents": total,
            "status": "pending",
            "requested_at": NOW,
            "expires_at": NOW,
        }
        self.move(order_id, "awaiting_approval")
        if self.expires:
            self.approvals[order_id]["status"] = "expired"
            self.move(order_id, "rejected", "approval_expired")
        return None

    def pay(self, order_id: str) -> None:
        """Go on after the approval, or without one."""
        if self.declines:
            return self.move(order_id, "rejected", "payment_declined")
        self.move(order_id, "paid")
        for line in self.orders[order_id]["lines"]:
            self.stock[line["item"]] -= line["quantity"]
        return self.move(order_id, "completed")

    def decide(self, order_id: str, decision: dict[str, Any]) -> tuple[int, Any]:
        """Take a decision in."""
        if self.unknown_decisions or order_id not in self.approvals:
            self.unknown_decisions = max(0, self.unknown_decisions - 1)
            return problem(404, "APPROVAL_NOT_FOUND", f"nobody asked about order {order_id}")
        approval = self.approvals[order_id]
        if approval["status"] == "expired":
            return problem(409, "APPROVAL_EXPIRED", "the time to decide is over")
        self.decisions.append(decision)
        approval["status"] = "approved" if decision["approved"] else "denied"
        if decision["approved"]:
            self.move(order_id, "approved")
            self.pay(order_id)
        else:
            self.move(order_id, "rejected", "denied")
        return 200, approval

    def move(self, order_id: str, status: str, reason: str | None = None) -> None:
        """Give an order its next status, and tell the feed."""
        order = self.orders[order_id]
        order["history"].append(
            {
                "sequence": len(order["history"]) + 1,
                "status": status,
                "reason": reason,
                "at": f"2026-01-02T03:04:0{len(order['history'])}Z",
            }
        )
        order |= {
            "status": status,
            "reason": reason,
            "sequence": len(order["history"]),
            "updated_at": NOW,
        }
        with self.changed:
            if status not in self.hidden:
                change = {"order_id": order_id, "total_cents": order.get("total_cents")}
                self.feed.append({**change, **order["history"][-1]})
            if status in self.feed_breaks_after:
                self.feed.append(STREAM_END)
            self.changed.notify_all()

    def end_feeds(self) -> None:
        """End every stream."""
        with self.changed:
            self.feed.append(STREAM_END)
            self.changed.notify_all()

    def restock(self, body: dict[str, Any]) -> tuple[int, Any]:
        """Put pieces on the shelf."""
        item = body.get("item")
        if item is not None and item not in self.stock:
            said = f"failed to invoke: rpc error: code = NotFound desc = there is no item {item}"
            return 404, {"errorCode": "ERR_DIRECT_INVOKE", "message": said}
        if "quantity" in body:
            self.stock[body["item"]] += body["quantity"]
        else:
            self.stock |= {name: 100 for name in self.stock if item in (None, name)}
        return 200, self.shelf()

    def shelf(self) -> dict[str, Any]:
        """Tell the stock the way inventory does."""
        return {
            "items": [
                {
                    "item": item,
                    "on_hand": number,
                    "reserved": 0,
                    "available": number,
                    "unit_price_cents": PRICES[item],
                }
                for item, number in self.stock.items()
            ]
        }

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        """Answer anything but the feed."""
        match path.strip("/").split("/"):
            case ["sidecar", "v1.0", "publish", "pubsub", "orders.submitted"]:
                if self.refuses_events:
                    return 500, {"errorCode": "ERR_PUBSUB_PUBLISH", "message": "no broker"}
                self.submit(body)
                return 204, None
            case ["sidecar", "v1.0", "invoke", "inventory", "method", "restock"]:
                return self.restock(body)
            case ["orders", "orders"]:
                return 200, {"items": list(self.orders.values()), "next": None}
            case ["orders", "orders", order_id] if order_id in self.orders:
                return 200, self.orders[order_id]
            case ["orders", "orders", order_id, "cancel"] if order_id in self.orders:
                self.move(order_id, "cancelled", "cancelled_on_request")
                return 202, self.orders[order_id]
            case ["orders", "orders", order_id, *_]:
                return problem(404, "ORDER_NOT_FOUND", f"there is no order {order_id}")
            case ["inventory", "stock"]:
                return 200, self.shelf()
            case ["approvals", "approvals"]:
                return 200, {"items": list(self.approvals.values()), "next": None}
            case ["approvals", "approvals", order_id, "decision"]:
                return self.decide(order_id, body)
            case [service, "dead-letters"]:
                return 200, {"items": self.letters[service], "next": None}
            case [service, "dead-letters", number, "resend"]:
                self.resent.append(f"{service}:{number}")
                return 202, {"message": "sent again"}
        return 404, None


def problem(status: int, code: str, detail: str) -> tuple[int, Any]:
    """Write a problem document."""
    return status, {"title": code, "status": status, "code": code, "detail": detail}


class Handler(BaseHTTPRequestHandler):
    """HTTP around the shop."""

    shop: Shop

    def do_GET(self) -> None:
        if self.path == "/orders/orders/stream":
            self._stream()
        else:
            self._reply(*self.shop.answer(self.path.partition("?")[0], None))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._reply(*self.shop.answer(self.path, json.loads(content or b"null")))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _reply(self, status: int, document: Any) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        shop = self.shop
        position = int(self.headers.get("last-event-id", len(shop.feed)))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b": following\n\n")
        while True:
            with shop.changed:
                shop.changed.wait_for(lambda: len(shop.feed) > position)
                told = shop.feed[position]
            position += 1
            if told == STREAM_END:
                # The end has no id of its own: the next change's place is after it.
                self.wfile.write(f"id: {position}\ndata:\n\n".encode())
                return
            event = f"id: {position}\nevent: orders.status\ndata: {json.dumps(told)}\n\n"
            self.wfile.write(event.encode())


@pytest.fixture
def shop() -> Shop:
    """The state of the fake services."""
    return Shop()


@pytest.fixture
def settings(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The fake services are up, and the environment says where."""
    handler = type("ShopHandler", (Handler,), {"shop": shop})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    for name in ("orders", "inventory", "approvals", "sidecar"):
        monkeypatch.setenv(f"ORDERFLOW_{name.upper()}_URL", f"{base}/{name}")
    yield Settings(f"{base}/orders", f"{base}/inventory", f"{base}/approvals", f"{base}/sidecar")
    shop.end_feeds()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.out.splitlines()


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with arguments and what is typed."""

    def run_command(*arguments: str, typed: str = "") -> Outcome:
        stdin = io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(SystemExit) as ending:
            main(arguments)
        said = capsys.readouterr()
        return Outcome(int(ending.value.code or 0), said.out, said.err)

    return run_command
