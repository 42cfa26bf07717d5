"""Which role may call which path, with sign-in required and without."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from orderflow_contracts.access import Role, new_token, token_digest
from orderflow_contracts.names import SERVICES
from orderflow_tools.platform import Platform
from system.shop import Shop, new_id, wait_for
from system.stores import Isolated

EVERYBODY = {"viewer", "approver", "operator"}
OPERATOR, APPROVER = {"operator"}, {"approver"}

CALLS: list[tuple[str, str, set[str]]] = [
    ("orders", "GET /orders", EVERYBODY),
    ("orders", "GET /orders/none", EVERYBODY),
    ("orders", "GET /batches", EVERYBODY),
    ("orders", "GET /payments", EVERYBODY),
    ("orders", "GET /tasks", EVERYBODY),
    ("orders", "GET /workflows", EVERYBODY),
    ("orders", "GET /dead-letters", EVERYBODY),
    ("orders", "GET /openapi.json", EVERYBODY),
    ("orders", "GET /docs", EVERYBODY),
    ("orders", "GET /audit", OPERATOR),
    ("orders", "POST /orders/none/cancel", OPERATOR),
    ("orders", "POST /tasks/none/complete", OPERATOR),
    ("orders", "POST /workflows/none/pause", OPERATOR),
    ("orders", "POST /workflows/none/terminate", OPERATOR),
    ("orders", "POST /workflows/none/raise_event/e", OPERATOR),
    ("orders", "POST /workflows/none/purge", OPERATOR),
    ("orders", "GET /dead-letters/999", EVERYBODY),
    ("orders", "POST /dead-letters/999/resend", OPERATOR),
    ("orders", "POST /dead-letters/999/discard", OPERATOR),
    ("orders", "GET /parked-events", EVERYBODY),
    ("inventory", "GET /stock", EVERYBODY),
    ("inventory", "GET /openapi.json", EVERYBODY),
    ("approvals", "GET /approvals", EVERYBODY),
    ("approvals", "GET /approvals/none", EVERYBODY),
    ("approvals", "GET /dead-letters", EVERYBODY),
    ("approvals", "GET /audit", OPERATOR),
    ("approvals", "GET /dead-letters/999", EVERYBODY),
    ("approvals", "GET /parked-events", EVERYBODY),
    ("approvals", "POST /dead-letters/999/resend", OPERATOR),
    ("approvals", "POST /dead-letters/999/discard", OPERATOR),
]
"""Calls with the roles that they admit. Each service's first one lists what it has."""

LISTING = {app: call for app, call, _ in reversed(CALLS)}


@dataclass(frozen=True)
class Closed:
    """A platform that requires sign-in, and a token for each role."""

    shop: Shop
    tokens: dict[str, str]

    def call(
        self, app: str, call: str, token: str | None = None, body: Any = None
    ) -> httpx.Response:
        """Send a request, with a token or without."""
        method, path = call.split()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.shop.http.request(method, self.shop.url(app, path), headers=headers, json=body)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Closed]:
    """Run a platform that requires sign-in."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = {role.value: new_token() for role in Role}
    file = folder / "access.json"
    entries = [
        {
            "name": role,
            "roles": [role],
            "sha256": token_digest(token),
            "created_at": datetime.now(UTC).isoformat(),
        }
        for role, token in tokens.items()
    ]
    file.write_text(json.dumps({"users": [], "tokens": entries}))
    settings = isolated(
        folder / "platform", ORDERFLOW_APIS_CLOSED="1", ORDERFLOW_ACCESS_FILE=str(file)
    )
    with Platform(settings) as platform:
        shop = Shop(platform)
        yield Closed(shop, tokens)
        shop.close()


def test_each_path_requires_its_role(closed: Closed) -> None:
    """The answer is 401 without a valid token and 403 without the role."""
    assert LISTING.keys() == SERVICES.keys()
    for app, call, roles in CALLS:
        for token in (None, "ofl_wrong", new_token()):
            refused = closed.call(app, call, token)
            assert (refused.status_code, refused.json()["code"]) == (401, "SIGN_IN_NEEDED"), call
        for role, token in closed.tokens.items():
            response = closed.call(app, call, token)
            if role in roles:
                assert response.status_code not in {401, 403, 421}, (role, call, response.text)
            else:
                assert response.status_code == 403, (role, call, response.text)
                assert response.json()["code"] == "NOT_ALLOWED"


@pytest.mark.parametrize("app", SERVICES)
def test_health_checks_need_no_token(closed: Closed, app: str) -> None:
    """Probes have no token."""
    assert closed.call(app, "GET /healthz").status_code == 200
    assert closed.call(app, "GET /readyz").status_code == 200


def test_placing_and_approving_with_tokens_is_in_the_audit_trail(closed: Closed) -> None:
    """An operator may place the order, an approver may decide, in their own name only."""
    order_id = new_id()
    body = closed.shop.order_data(order_id, "cars", 4)
    tokens = closed.tokens
    assert closed.call("orders", "POST /orders", tokens["operator"], body).status_code == 202
    assert closed.call("orders", "POST /orders", tokens["approver"], body).status_code == 403

    def is_asked() -> bool:
        call = f"GET /approvals/{order_id}"
        return closed.call("approvals", call, tokens["viewer"]).status_code == 200

    wait_for(f"{order_id} to wait for approval", is_asked)
    call = f"POST /approvals/{order_id}/decision"
    yes = {"approved": True, "approver": "approver", "comment": "fine"}
    for token, body in (
        (tokens["operator"], {**yes, "approver": "operator"}),
        (tokens["viewer"], {**yes, "approver": "viewer"}),
        (tokens["approver"], {**yes, "approver": "somebody"}),
    ):
        assert closed.call("approvals", call, token, body).status_code == 403
    assert closed.call("approvals", call, tokens["approver"], yes).status_code == 200

    def is_completed() -> bool:
        order = closed.call("orders", f"GET /orders/{order_id}", tokens["viewer"]).json()
        return bool(order["status"] == "completed")

    wait_for(f"{order_id} to be completed", is_completed)
    assert trail(closed, "orders", order_id) == [("operator", "token", "order.place", "done")]
    assert trail(closed, "approvals", order_id) == [
        ("approver", "token", "approval.approve", "done")
    ]


def trail(closed: Closed, app: str, subject: str) -> list[tuple[str, ...]]:
    """Return the audit trail of a subject, oldest entry first."""
    page = closed.call(app, "GET /audit?limit=500", closed.tokens["operator"]).json()
    return [
        (entry["actor"], entry["via"], entry["action"], entry["outcome"])
        for entry in page["items"][::-1]
        if entry["subject"] == subject
    ]


def test_failed_actions_are_in_the_audit_trail_with_their_reason(closed: Closed) -> None:
    """Operators' actions are recorded, whether they succeeded or not."""
    instance_id = new_id()
    call = f"POST /workflows/{instance_id}/pause"

    assert closed.call("orders", call, closed.tokens["operator"]).status_code == 404

    assert trail(closed, "orders", instance_id) == [
        ("operator", "token", "workflow.pause", "WORKFLOW_NOT_FOUND")
    ]


def test_events_need_no_token(closed: Closed) -> None:
    """Sign-in protects the APIs for people; events and invocations come through the sidecars."""
    order_id = closed.shop.submit("paperclip", 1)

    def is_completed() -> bool:
        response = closed.call("orders", f"GET /orders/{order_id}", closed.tokens["viewer"])
        return response.status_code == 200 and response.json()["status"] == "completed"

    wait_for(f"{order_id} to be completed", is_completed)


def test_on_loopback_the_apis_are_open_by_default(shop: Shop) -> None:
    """No token is needed, but unknown hosts and cross-site requests are refused."""
    for app in SERVICES:
        url = shop.url(app, LISTING[app].removeprefix("GET "))
        assert shop.http.get(url).status_code == 200
        foreign = shop.http.get(url, headers={"Host": "evil.example"})
        assert (foreign.status_code, foreign.json()["code"]) == (421, "HOST_NOT_KNOWN")

    order = shop.order_data(new_id())
    sent = shop.http.post(
        shop.url("orders", "/orders"), json=order, headers={"Origin": "http://evil.example"}
    )
    assert (sent.status_code, sent.json()["code"]) == (403, "CROSS_SITE")
