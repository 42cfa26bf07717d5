"""Reminders, and orders that two people must approve, on the real Dapr runtime."""

from functools import partial
from typing import Any

import httpx
import pytest

from system.shop import Shop, assert_records_agree, wait_for

CAR = 15_000_00
OF_TWO = pytest.mark.parametrize(
    "own_shop",
    [
        {
            "ORDERS_SECOND_APPROVAL_THRESHOLD_CENTS": str(10 * CAR),
            "ORDERS_APPROVAL_TIMEOUT_SECONDS": "600",
        }
    ],
    indirect=True,
)
REMINDING = pytest.mark.parametrize(
    "own_shop",
    [{"ORDERS_APPROVAL_TIMEOUT_SECONDS": "20", "ORDERS_APPROVAL_REMINDER_AFTER": "0.1"}],
    indirect=True,
)


def requests(shop: Shop, order_id: str) -> list[dict[str, Any]]:
    """Return the events that requested approval, without duplicates, in order."""
    events = {
        event["id"]: event
        for event in shop.stream("approvals.requested")
        if event.get("subject") == order_id
    }
    return list(events.values())


def decide(shop: Shop, order_id: str, approver: str, *, approved: bool) -> httpx.Response:
    """Send a decision over HTTP in this name."""
    return shop.http.post(
        shop.url("approvals", f"/approvals/{order_id}/decision"),
        json={"approved": approved, "approver": approver},
    )


@REMINDING
def test_a_reminder_repeats_the_request(own_shop: Shop) -> None:
    """A reminder has its own event id; the order still waits for a decision or the deadline."""

    def both_requests(order_id: str) -> list[dict[str, Any]] | None:
        found = requests(own_shop, order_id)
        return found if len(found) == 2 else None

    approved, expiring = own_shop.submit("cars", 4), own_shop.submit("cars", 5)
    for order_id in (approved, expiring):
        first, again = wait_for("the reminder on the topic", partial(both_requests, order_id))
        assert [first["id"], again["id"]] == [
            f"{order_id}.requested",
            f"{order_id}.requested.reminder",
        ]
        assert (first["data"]["reminder"], again["data"]["reminder"]) == (False, True)
        assert again["data"] == {**first["data"], "reminder": True}

    assert decide(own_shop, approved, "ada", approved=True).status_code == 200

    assert own_shop.wait_final(approved)["status"] == "completed"
    order = own_shop.wait_final(expiring)
    assert (order["status"], order["reason"]) == ("rejected", "approval_expired")
    own_shop.wait_approval(expiring, "expired")
    assert own_shop.dead_letters("approvals") == []
    assert own_shop.stock("cars")["available"] == 96
    assert_records_agree(own_shop, [own_shop.wait_final(approved), order])


@OF_TWO
def test_two_people_must_approve_and_the_second_may_deny(own_shop: Shop) -> None:
    """One person approving twice is not enough; a second person approves or denies."""
    small, agreed, denied = (own_shop.submit("cars", number) for number in (4, 11, 12))
    for order_id, levels in ((small, 1), (agreed, 2), (denied, 2)):
        assert own_shop.wait_approval(order_id, "pending")["levels"] == levels
        (request,) = requests(own_shop, order_id)
        assert request["data"]["levels"] == levels

    for order_id in (small, agreed, denied):
        assert decide(own_shop, order_id, "ada", approved=True).status_code == 200
    for order_id in (agreed, denied):
        again = decide(own_shop, order_id, " Ada", approved=True)
        assert (again.status_code, again.json()["status"]) == (200, "pending")
        assert decide(own_shop, order_id, "ADA", approved=False).status_code == 409
    # The order that needs one approval has gone on; the others had the same time to do so wrongly.
    assert own_shop.wait_final(small)["status"] == "completed"
    for order_id in (agreed, denied):
        assert own_shop.wait_status(order_id, "awaiting_approval")["reason"] is None

    assert decide(own_shop, agreed, "bob", approved=True).json()["status"] == "approved"
    assert decide(own_shop, denied, "bob", approved=False).json()["status"] == "denied"

    completed, rejected = own_shop.wait_final(agreed), own_shop.wait_final(denied)
    assert completed["status"] == "completed"
    assert (rejected["status"], rejected["reason"]) == ("rejected", "denied")
    approval = own_shop.wait_approval(agreed, "approved")
    assert [taken["approver"] for taken in approval["decisions"]] == ["ada", "bob"]
    assert own_shop.payments(denied) == []
    assert own_shop.stock("cars")["available"] == 100 - 4 - 11
    assert_records_agree(own_shop, [completed, rejected])
