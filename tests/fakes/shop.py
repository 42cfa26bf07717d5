"""A small fake of all services, without Dapr, that processes orders."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOW = "2026-01-02T03:04:05Z"
PRICES = {"paperclip": 5_00, "cars": 15_000_00, "computers": 500_00}
THRESHOLD_CENTS = 50_000_00
STREAM_END = "end"

Answer = tuple[int, Any]


_OF_BOTH = ("dead-letters", "parked-events", "outbox", "doctor")
"""The paths that orders and approvals have."""


@dataclass
class Shop:
    """Processes orders like the services, as soon as their events are published."""

    stock: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRICES, 100))
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    letters: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"orders": [], "approvals": []}
    )
    parked: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"orders": [], "approvals": []}
    )
    outbox: dict[str, list[datetime]] = field(
        default_factory=lambda: {"orders": [], "approvals": []}
    )
    """When each of the messages was written that wait to be published."""
    findings: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"orders": [], "approvals": []}
    )
    """What the doctor of each service finds; those with `heals` can be healed."""
    published: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    letter_queries: list[Mapping[str, str]] = field(default_factory=list)
    """The parameters of each list of dead letters."""
    resent: list[str] = field(default_factory=list)
    corrections: list[Any] = field(default_factory=list)
    discarded: dict[str, Any] = field(default_factory=dict)
    feed: list[str | dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    lock: threading.Lock = field(default_factory=threading.Lock)
    batches: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    batch_reads_until_end: int = 0
    """How often a batch is read before it has ended."""
    unknown_decisions: int = 0
    """How many decisions arrive before their approval request."""
    levels: int = 1
    """How many approvals an order needs."""
    declines: bool = False
    expires: bool = False
    hidden: frozenset[str] = frozenset()
    """Statuses that are missing from the feed."""
    feed_breaks_after: frozenset[str] = frozenset()
    """Statuses after which the feed's connection closes."""
    forgets_positions: bool = False
    """Whether no client of the feed can continue where its connection closed."""
    refuses_events: bool = False
    retry_leaves: tuple[str, ...] = ()
    """The compensations that fail again when an order that needs attention is retried."""
    retried: list[str] = field(default_factory=list)
    credentials: list[tuple[str, str | None]] = field(default_factory=list)
    """Each requested path, with the credential that was sent."""
    required_credential: str | None = None
    """The credential that the services require, if any; the sidecar requires none."""
    lacks_role: bool = False
    """Whether the credential lacks the necessary role."""

    def submit(self, event: dict[str, Any]) -> None:
        """Accept an event."""
        self.published.append(event)
        data = event["data"]
        if not isinstance(data, dict) or not {"lines", "item"} & set(data):
            return
        with self.lock:
            self._process(event["id"], data)

    def _process(self, event_id: str, data: dict[str, Any]) -> None:
        if data.get("order_id") in self.orders:
            return
        lines = data.get("lines") or [{"item": data["item"], "quantity": data["quantity"]}]
        order_id = data.get("order_id") or event_id
        self.orders[order_id] = {
            "order_id": order_id,
            "customer_id": data.get("customer_id", "anonymous"),
            "lines": lines,
            "history": [],
            "created_at": NOW,
        }
        self.move(order_id, "received")
        if any(line["quantity"] > self.stock[line["item"]] for line in lines):
            self.move(order_id, "rejected", "out_of_stock")
            self.orders[order_id]["detail"] = "More units were ordered than are available."
            return
        total = sum(PRICES[line["item"]] * line["quantity"] for line in lines)
        self.orders[order_id]["total_cents"] = total
        self.move(order_id, "reserved")
        if total <= THRESHOLD_CENTS:
            self.pay(order_id)
        else:
            self._ask(order_id, lines, total)

    def _ask(self, order_id: str, lines: list[dict[str, Any]], total: int) -> None:
        self.approvals[order_id] = {
            "order_id": order_id,
            "customer_id": "anonymous",
            "lines": lines,
            "total_cents": total,
            "status": "pending",
            "requested_at": NOW,
            "expires_at": NOW,
            "levels": self.levels,
            "decisions": [],
        }
        self.move(order_id, "awaiting_approval")
        if self.expires:
            self.approvals[order_id]["status"] = "expired"
            self.move(order_id, "rejected", "approval_expired")

    def pay(self, order_id: str) -> None:
        """Charge and complete an order."""
        if self.declines:
            self.move(order_id, "rejected", "payment_declined")
            return
        self.move(order_id, "paid")
        for line in self.orders[order_id]["lines"]:
            self.stock[line["item"]] -= line["quantity"]
        self.move(order_id, "completed")

    def decide(self, order_id: str, decision: dict[str, Any]) -> Answer:
        """Record a decision."""
        if self.unknown_decisions or order_id not in self.approvals:
            self.unknown_decisions = max(0, self.unknown_decisions - 1)
            return problem(404, "APPROVAL_NOT_FOUND", f"nobody asked about order {order_id}")
        approval = self.approvals[order_id]
        if approval["status"] == "expired":
            return problem(409, "APPROVAL_EXPIRED", "the time to decide is over")
        self.decisions.append(decision)
        level = len(approval["decisions"]) + 1
        approval["decisions"].append(
            {"approver": "", "comment": "", **decision, "level": level, "decided_at": NOW}
        )
        if decision["approved"] and level < self.levels:
            return 200, approval
        approval["status"] = "approved" if decision["approved"] else "denied"
        if decision["approved"]:
            self.move(order_id, "approved")
            self.pay(order_id)
        else:
            self.move(order_id, "rejected", "denied")
        return 200, approval

    def move(self, order_id: str, status: str, reason: str | None = None) -> None:
        """Give an order its next status, and publish it on the feed."""
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

    def next_feed_entry(self, position: int) -> str | dict[str, Any]:
        """Wait for the feed's entry at a position."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.feed) > position)
            return self.feed[position]

    def end_feeds(self) -> None:
        """End every stream."""
        with self.changed:
            self.feed.append(STREAM_END)
            self.changed.notify_all()

    def restock(self, body: dict[str, Any]) -> Answer:
        """Add stock, or reset it."""
        item = body.get("item")
        if item is not None and item not in self.stock:
            message = f"failed to invoke: rpc error: code = NotFound desc = there is no item {item}"
            return 404, {"errorCode": "ERR_DIRECT_INVOKE", "message": message}
        if "quantity" in body:
            self.stock[body["item"]] += body["quantity"]
        else:
            self.stock |= {name: 100 for name in self.stock if item in (None, name)}
        return 200, self.current_stock()

    def current_stock(self) -> dict[str, Any]:
        """Return the stock as inventory does."""
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

    def authenticate(self, path: str, credential: str | None) -> Answer | None:
        """Record the credential; return an error if it is not sufficient."""
        self.credentials.append((path, credential))
        if self.required_credential is None or path.startswith("/sidecar/"):
            return None
        if credential != self.required_credential:
            return problem(401, "SIGN_IN_NEEDED", "a token is needed")
        return problem(403, "NOT_ALLOWED", "that needs an operator") if self.lacks_role else None

    def answer(self, path: str, body: Any, query: Mapping[str, str] | None = None) -> Answer:
        """Answer any request except the feed."""
        match path.strip("/").split("/", 1):
            case ["sidecar", rest]:
                return self._answer_as_sidecar(rest, body)
            case ["inventory", "stock"]:
                return 200, self.current_stock()
            case [service, rest] if rest.startswith(_OF_BOTH):
                return self._answer_about_letters(service, rest.split("/"), body, query or {})
            case ["orders", rest]:
                return self._answer_as_orders(rest.split("/")[1:], rest.split("/")[0])
            case ["approvals", rest]:
                return self._answer_as_approvals(rest.split("/")[1:], body)
        return 404, None

    def diagnosis(self, service: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what disagrees, or what of it is about an order."""
        about = query.get("order_id")
        found = [
            {name: value for name, value in each.items() if name != "heals"}
            for each in self.findings[service]
            if about is None or each["about"] == f"order {about}"
        ]
        return {"agrees": not found, "findings": found}

    def treatment(self, service: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Heal what can be healed; return that, and what is left."""
        before = self.diagnosis(service, query)["findings"]
        self.findings[service] = [each for each in self.findings[service] if not each["heals"]]
        left = self.diagnosis(service, query)["findings"]
        healed = [each for each in before if each not in left]
        return {"agrees": not left, "healed": healed, "left": left}

    def backlog(self, written: list[datetime]) -> dict[str, Any]:
        """Return how many messages wait, and since when."""
        oldest = min(written, default=None)
        age = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        oldest_at = oldest and oldest.isoformat()
        return {"messages": len(written), "oldest_at": oldest_at, "age_seconds": age}

    def _answer_as_sidecar(self, rest: str, body: Any) -> Answer:
        if rest == "v1.0/invoke/inventory/method/restock":
            return self.restock(body)
        if rest == "v1.0/publish/pubsub/orders.batch-submitted" and not self.refuses_events:
            self.batches[body["data"]["batch_id"]] = body["data"]["orders"]
            for order in body["data"]["orders"]:
                self._process("", order)
            return 204, None
        if rest != "v1.0/publish/pubsub/orders.submitted" or self.refuses_events:
            return 500, {"errorCode": "ERR_PUBSUB_PUBLISH", "message": "no broker"}
        self.submit(body)
        return 204, None

    def _answer_about_batch(self, batch_id: str) -> Answer:
        if batch_id not in self.batches:
            return problem(404, "BATCH_NOT_FOUND", f"there is no batch {batch_id}")
        orders = [self.orders[entry["order_id"]] for entry in self.batches[batch_id]]
        keys = ("order_id", "status", "reason", "detail", "total_cents")
        self.batch_reads_until_end -= 1
        return 200, {
            "batch_id": batch_id,
            "status": "running" if self.batch_reads_until_end >= 0 else "completed",
            "total": len(orders),
            "counts": Counter(order["status"] for order in orders),
            "total_cents": sum(
                order["total_cents"] for order in orders if order["status"] == "completed"
            ),
            "created_at": NOW,
            "ended_at": None if self.batch_reads_until_end >= 0 else NOW,
            "orders": [
                {"number": number, **{key: order.get(key) for key in keys}}
                for number, order in enumerate(orders, 1)
            ],
        }

    def _answer_as_orders(self, rest: list[str], what: str) -> Answer:
        if what == "tasks":
            return self._answer_about_tasks(rest)
        if what == "batches":
            return self._answer_about_batch(rest[0])
        if not rest:
            return 200, {"items": list(self.orders.values()), "next": None}
        if rest[0] not in self.orders:
            return problem(404, "ORDER_NOT_FOUND", f"there is no order {rest[0]}")
        if rest[1:] == ["cancel"]:
            self.move(rest[0], "cancelled", "cancelled_on_request")
        if rest[1:] in (["retry"], ["attention"]):
            return self._answer_about_attention(rest[0], rest[1])
        return 200, self.orders[rest[0]]

    def _answer_about_attention(self, order_id: str, what: str) -> Answer:
        if self.orders[order_id]["status"] != "needs_attention":
            return problem(409, "NOTHING_TO_RETRY", f"order {order_id} needs no attention")
        if what == "retry":
            self.retried.append(order_id)
        is_settled = bool(self.retried) and not self.retry_leaves
        return 200, {
            "order_id": order_id,
            "not_undone": list(self.retry_leaves),
            "retries": len(self.retried),
            "settled_at": NOW if is_settled else None,
            "settled_by": "olga" if is_settled else None,
        }

    def _answer_about_tasks(self, rest: list[str]) -> Answer:
        if not rest:
            return 200, {"items": list(self.tasks.values()), "next": None}
        if rest[0] not in self.tasks:
            return problem(404, "TASK_NOT_FOUND", f"there is no task {rest[0]}")
        if rest[1:] == ["complete"]:
            self.tasks[rest[0]] |= {"status": "completed", "completed_at": NOW}
        return 200, self.tasks[rest[0]]

    def _answer_as_approvals(self, rest: list[str], body: Any) -> Answer:
        if not rest:
            return 200, {"items": list(self.approvals.values()), "next": None}
        return self.decide(rest[0], body)

    def _read_of_both(
        self, service: str, of: str, query: Mapping[str, str], *, fixes: bool
    ) -> dict[str, Any]:
        if of == "doctor":
            return self.treatment(service, query) if fixes else self.diagnosis(service, query)
        parked = {"items": self.parked[service], "next": None}
        return parked if of == "parked-events" else self.backlog(self.outbox[service])

    def _answer_about_letters(
        self, service: str, rest: list[str], body: Any, query: Mapping[str, str]
    ) -> Answer:
        of = rest.pop(0)
        if of != "dead-letters":
            return 200, self._read_of_both(service, of, query, fixes=bool(rest))
        letters = {str(letter["id"]): letter for letter in self.letters[service]}
        if not rest:
            self.letter_queries.append(query)
            without = [
                {k: v for k, v in letter.items() if k != "data"}
                for letter in letters.values()
                if query.get("state") in (None, _state(letter))
            ]
            start, limit = int(query.get("after", 0)), int(query["limit"])
            end = start + limit
            following = str(end) if end < len(without) else None
            return 200, {"items": without[start:end], "next": following}
        if rest[0] not in letters:
            return problem(404, "DEAD_LETTER_NOT_FOUND", f"there is no dead letter {rest[0]}")
        if rest[1:] == ["discard"]:
            self.discarded[f"{service}:{rest[0]}"] = body
            return 202, {"message": "discarded"}
        if rest[1:] == ["resend"]:
            self.resent.append(f"{service}:{rest[0]}")
            self.corrections += [] if body is None else [body]
            return 202, {"message": "sent again", "event_id": "event-new" if body else "event-old"}
        return 200, letters[rest[0]]


def problem(status: int, code: str, detail: str) -> Answer:
    """Write a problem document."""
    return status, {"title": code, "status": status, "code": code, "detail": detail}


def _state(letter: Mapping[str, Any]) -> str:
    if letter.get("discarded_at"):
        return "discarded"
    return "resent" if letter["resent_at"] else "waiting"
