"""Which application may call which method, and which addresses are listened on."""

import socket

import grpc
import psutil
import pytest
from dapr.proto import appcallback_service_v1, appcallback_v1, common_v1

from orderflow_contracts import names
from orderflow_tools.ports import LOOPBACK
from system.shop import Shop, new_id


@pytest.mark.parametrize("method", ["reserve", "commit", "release", "restock"])
@pytest.mark.parametrize("caller", ["approvals", "inventory"])
def test_only_orders_may_change_the_stock(shop: Shop, caller: str, method: str) -> None:
    """Other applications get 403, even one that claims to be orders."""
    body = {"order_id": new_id(), "lines": [{"item": "cars", "quantity": 1}]}
    url = f"{shop.platform.sidecar_url(caller)}/v1.0/invoke/inventory/method/{method}"
    for claim in ({}, {"dapr-caller-app-id": "orders"}):
        response = shop.http.post(url, json=body, headers=claim)
        assert response.status_code == 403, (claim, response.text)
    assert shop.stock("cars")["reserved"] == 0


@pytest.mark.parametrize("caller", ["inventory", "orders"])
def test_only_approvals_may_raise_a_decision(shop: Shop, caller: str) -> None:
    """Only the approvals service can raise a decision."""
    order_id = shop.submit("cars", 4)
    shop.wait_status(order_id, "awaiting_approval")
    body = {"order_id": order_id, "data": {"approved": True, "approver": "eve"}}
    url = f"{shop.platform.sidecar_url(caller)}/v1.0/invoke/orders/method/raise"
    for claim in ({}, {"dapr-caller-app-id": "approvals"}):
        assert shop.http.post(url, json=body, headers=claim).status_code == 403
    assert shop.decide(order_id, approved=False).status_code == 200
    assert shop.wait_final(order_id)["reason"] == "denied"


def test_anyone_may_read_the_stock(shop: Shop) -> None:
    """Reading stock needs no permission, by invocation or over HTTP."""
    for caller in ("orders", "approvals"):
        response = shop.http.get(
            f"{shop.platform.sidecar_url(caller)}/v1.0/invoke/inventory/method/stock"
        )
        assert response.status_code == 200
        assert {item["item"] for item in response.json()["items"]} >= {"cars", "paperclip"}


def test_invalid_calls_get_distinct_status_codes(shop: Shop) -> None:
    """An invalid body gets 400 and names the field; an unknown method gets 501."""
    wrong = shop.invoke("orders", "inventory", "reserve", {"order_id": "x", "lines": []})
    assert wrong.status_code == 400
    assert "lines" in wrong.text
    assert shop.invoke("orders", "inventory", "steal").status_code == 501
    nothing = shop.invoke("orders", "inventory", "commit", {"order_id": new_id()})
    assert nothing.status_code in {400, 409}


@pytest.mark.parametrize(
    "path", [name for each in names.SERVICES.values() for name in each.methods]
)
@pytest.mark.parametrize("app", names.SERVICES)
def test_public_ports_do_not_offer_internal_methods(shop: Shop, app: str, path: str) -> None:
    """Methods that change stock or raise decisions are not served on the public HTTP ports."""
    assert shop.http.post(shop.url(app, f"/{path}"), json={}).status_code in {404, 405}


@pytest.mark.parametrize("app", names.SERVICES)
def test_the_grpc_port_requires_the_token(shop: Shop, app: str) -> None:
    """Without the run's token, an application's port accepts neither events nor invocations."""
    port = shop.platform.settings.ports.apps[app].grpc
    with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        stub = appcallback_service_v1.AppCallbackStub(channel)
        for metadata in ((), (("dapr-api-token", "guess"), ("dapr-caller-app-id", "orders"))):
            with pytest.raises(grpc.RpcError) as refused:
                stub.OnInvoke(common_v1.InvokeRequest(method="stock"), metadata=metadata, timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            event = appcallback_v1.TopicEventRequest(topic="orders.submitted")
            with pytest.raises(grpc.RpcError) as refused:
                stub.OnTopicEvent(event, metadata=metadata, timeout=5)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_everything_listens_on_loopback(shop: Shop) -> None:
    """No process of the run listens on any other address."""
    platform = shop.platform
    parts = ("broker", "placement", "scheduler", *names.LOCAL_PORTS)
    sidecars = [f"{app}-daprd" for app in names.LOCAL_PORTS]
    for name in (*parts, *sidecars):
        pid = platform.pid(name)
        assert pid is not None, name
        for connection in psutil.Process(pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                address = connection.laddr.ip
                assert address in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, (name, connection)


def test_sidecars_report_what_is_declared(shop: Shop) -> None:
    """Each sidecar has its own components, subscriptions with dead letters, and resiliency."""
    for app, service in names.SERVICES.items():
        topics = service.subscribes
        metadata = shop.http.get(f"{shop.platform.sidecar_url(app)}/v1.0/metadata").json()
        loaded = {entry["name"] for entry in metadata["components"]}
        assert loaded == {*service.components, names.SIDECAR_RULES}
        reported = {
            entry["topic"]: entry.get("deadLetterTopic")
            for entry in metadata.get("subscriptions", [])
        }
        expected = {topic: names.dead_letter_topic(topic) for topic in topics}
        assert {topic: reported.get(topic) for topic in topics} == expected
        dead_letter_topics = {names.dead_letter_topic(topic) for topic in topics}
        canary = {names.canary_topic(app)} if topics else set()
        assert set(reported) == {*topics, *dead_letter_topics, *canary}
        if topics:
            assert [entry["name"] for entry in metadata["resiliencies"]] == ["orderflow"]


def test_a_port_in_use_refuses_a_second_listener(shop: Shop) -> None:
    """The ports of the run are really bound: a second listener is refused."""
    port = shop.platform.settings.ports.apps["orders"].http
    with socket.socket() as second, pytest.raises(OSError, match="in use"):
        second.bind((LOOPBACK, port))
