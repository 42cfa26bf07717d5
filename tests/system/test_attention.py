"""Retrying a failed rollback until it succeeds, also when processes are killed."""

import signal
from typing import Any

import pytest

from system.shop import Shop, assert_records_agree, wait_for

RELEASE = "release_inventory_activity"


def attention(shop: Shop, order_id: str) -> dict[str, Any]:
    """Return the attention entry of an order; None while orders does not answer."""
    if shop.order(order_id) is None:
        return {}
    response = shop.http.get(shop.url("orders", f"/orders/{order_id}/attention"))
    assert response.status_code == 200, response.text
    return dict(response.json())


def retry(shop: Shop, order_id: str) -> int:
    return shop.http.post(shop.url("orders", f"/orders/{order_id}/retry")).status_code


@pytest.mark.parametrize("own_shop", [{"ORDERS_UNDO_TIMEOUT_SECONDS": "1"}], indirect=True)
def test_a_failed_rollback_can_be_retried_until_it_succeeds(own_shop: Shop) -> None:
    """A retry may fail again or be killed; the order's status does not change."""
    shop = own_shop
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    shop.platform.kill("inventory", signal.SIGSTOP)
    assert shop.decide(order_id, approved=False).status_code == 200
    ended = shop.wait_final(order_id)
    assert (ended["status"], ended["reason"]) == ("needs_attention", "undo_failed")
    assert attention(shop, order_id)["not_undone"] == [RELEASE]

    assert retry(shop, order_id) == 202
    failed = wait_for(
        "the retry to fail",
        lambda: attention(shop, order_id) if attention(shop, order_id).get("failed_at") else None,
    )
    assert (failed["not_undone"], failed["settled_at"]) == ([RELEASE], None)

    assert {retry(shop, order_id) for _ in range(2)} == {202}
    former = shop.platform.kill("orders")
    shop.platform.wait_for_restart("orders", former)
    shop.platform.kill("inventory", signal.SIGCONT)
    settled = wait_for(
        "the order to be settled",
        lambda: attention(shop, order_id) if attention(shop, order_id).get("settled_at") else None,
    )

    assert (settled["retries"], settled["not_undone"]) == (2, [])
    assert retry(shop, order_id) == 409
    assert shop.stock("cars")["available"] == 100
    after = shop.order(order_id)
    assert after == ended
    assert_records_agree(shop, [ended])
    approval = shop.approval(order_id)
    assert approval is not None
    assert approval["status"] == "denied"
