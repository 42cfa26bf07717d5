"""Who may call whom: services by their Dapr identity, people and programs by token."""

import json
from typing import Any

import httpx
import pytest

from cluster.scripts import ASK, KNOCK
from cluster.shop import VISITOR, ClusterShop
from orderflow_cli.accounts import find_tokens, with_token, without_tokens
from orderflow_contracts.access import Role, new_token
from system.storefront import new_id, wait_for

IDENTITY = "spiffe://public/ns/orderflow/{}"


@pytest.mark.parametrize("caller", [VISITOR, "approvals"])
def test_only_orders_may_change_the_stock(shop: ClusterShop, caller: str) -> None:
    """Inventory's sidecar refuses other applications by their proven identity."""
    before = shop.stock("cars")
    body = {"order_id": new_id(), "lines": [{"item": "cars", "quantity": 1}]}
    for claim in ({}, {"dapr-caller-app-id": "orders"}):
        refused = shop.invoke(caller, "inventory", "reserve", body, claim)
        assert refused.status_code == 403, refused.text
        assert IDENTITY.format(caller) in refused.text
    assert shop.stock("cars") == before


def test_orders_may_change_the_stock(shop: ClusterShop) -> None:
    """The right caller can reserve and release."""
    order_id = new_id()
    body = {"order_id": order_id, "lines": [{"item": "cars", "quantity": 1}]}
    reserved = shop.invoke("orders", "inventory", "reserve", body)
    assert (reserved.status_code, reserved.json()["outcome"]) == (200, "reserved")
    released = shop.invoke("orders", "inventory", "release", {"order_id": order_id})
    assert (released.status_code, released.json()["outcome"]) == (200, "released")


def test_only_approvals_may_raise_a_decision(shop: ClusterShop) -> None:
    """Other applications are refused by their proven identity."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    body = {"order_id": order_id, "data": {"approved": True, "approver": "eve"}}
    for caller in (VISITOR, "inventory"):
        refused = shop.invoke(caller, "orders", "raise", body)
        assert refused.status_code == 403, refused.text
        assert IDENTITY.format(caller) in refused.text
    order = shop.order(order_id)
    assert order is not None
    assert order["status"] == "awaiting_approval"
    assert shop.decide(order_id, approved=False).status_code == 200
    assert shop.wait_final(order_id)["reason"] == "denied"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("workflow", "interactive_hello_workflow"), ("activity", "refund_payment_activity")],
)
def test_another_application_cannot_run_orders_workflows(
    shop: ClusterShop, kind: str, name: str
) -> None:
    """Its workflows may call neither workflows nor activities of orders."""
    instance_id = new_id("visit")
    wanted = {"kind": kind, "name": name, "app_id": "orders", "input": "eve"}
    assert shop.visit_workflow(instance_id, wanted).status_code == 202

    def ended() -> dict[str, Any] | None:
        status = shop.visitors_workflow(instance_id)
        return status if status.get("runtimeStatus") not in {None, "PENDING", "RUNNING"} else None

    status = wait_for("the visitor's workflow to end", ended)
    assert "access denied by workflow access policy" in str(status["properties"]), status


def test_orders_may_run_its_own_workflow(shop: ClusterShop) -> None:
    """What is refused to others is allowed to orders itself."""
    suffix = new_id("own")
    started = shop.http.post(
        shop.url("orders", f"/workflows/start/{suffix}"), params={"user_name": "alice"}
    )
    assert started.status_code == 202, started.text

    def runs() -> bool:
        status = shop.http.get(shop.url("orders", f"/workflows/iwf-{suffix}/status"))
        return status.status_code == 200 and status.json()["runtime_status"] == "RUNNING"

    wait_for("the workflow to run", runs)
    assert shop.http.post(shop.url("orders", f"/workflows/iwf-{suffix}/terminate")).is_success


@pytest.mark.parametrize(
    ("port", "how", "answer"),
    [
        (8001, "connect", "open"),  # HTTP for people: the check itself works
        (50002, "http2", "ConnectionResetError"),  # between sidecars: not in plain text
        (50002, "tls", "CERTIFICATE_REQUIRED"),  # nor without a certificate from Sentry
        (7001, "connect", "ConnectionRefusedError"),  # the service's gRPC port is on loopback
        (3500, "connect", "ConnectionRefusedError"),  # and so are both APIs of its sidecar
        (50001, "connect", "ConnectionRefusedError"),
    ],
)
def test_a_pod_without_identity_reaches_only_the_http_port(
    shop: ClusterShop, port: int, how: str, answer: str
) -> None:
    """Of all ports of a pod of orders, only the one for people accepts a connection."""
    address = shop.pods.address("orders")
    output = shop.pods.execute("plain", "python", "-c", KNOCK, address, str(port), how)
    assert answer in output


@pytest.mark.parametrize(
    ("app", "path"),
    [("orders", "/orders"), ("inventory", "/stock"), ("approvals", "/approvals")],
)
def test_a_pod_needs_a_valid_token(shop: ClusterShop, app: str, path: str) -> None:
    """A pod that may connect, such as a gateway, is refused without one."""
    url = f"http://{app}.orderflow.svc:{httpx.URL(shop.url(app, path)).port}{path}"
    for shown in ({}, {"authorization": f"Bearer {new_token()}"}):
        refused = ask(shop, "GET", url, shown)
        assert (refused.status_code, refused.json()["code"]) == (401, "SIGN_IN_NEEDED")

    token = shop.secret("orderflow-first-user", "token")
    assert ask(shop, "GET", url, {"authorization": f"Bearer {token}"}).status_code == 200


def test_a_viewer_may_read_but_not_cancel(shop: ClusterShop) -> None:
    """A token added to the secret works without a restart, with the permissions of its role."""
    secret = new_token()
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    shown = {"authorization": f"Bearer {secret}"}
    url = f"http://orders.orderflow.svc:8001/orders/{order_id}"

    shop.change_access(lambda file: with_token(file, "guest", [Role.VIEWER], secret))
    try:
        wait_for("the token to count", lambda: ask(shop, "GET", url, shown).status_code == 200, 120)
        refused = ask(shop, "POST", f"{url}/cancel", shown)
    finally:
        shop.change_access(lambda file: without_tokens(file, find_tokens(file, "guest")))

    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")
    order = shop.order(order_id)
    assert order is not None
    assert order["status"] == "awaiting_approval"
    assert shop.http.post(shop.url("orders", f"/orders/{order_id}/cancel")).is_success
    assert shop.wait_final(order_id)["status"] == "cancelled"


def ask(shop: ClusterShop, method: str, url: str, headers: dict[str, str]) -> httpx.Response:
    """Send a request to a service from within the pod that has no identity."""
    asked = json.dumps({"method": method, "url": url, "headers": headers})
    response = json.loads(shop.pods.execute("plain", "python", "-c", ASK, data=asked))
    return httpx.Response(response["status"], text=response["text"])
