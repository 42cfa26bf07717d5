"""Which guard protects which route of the services, as their composition roots wire them."""

import pytest

import service_code
from orderflow_contracts.names import APPROVALS, INVENTORY, ORDERS, SERVICES

EVERYWHERE = {
    "GET /healthz": "public",
    "GET /readyz": "public",
    "ANY /static": "public",
    "GET /docs": "reads viewer",
    "GET /openapi.json": "reads viewer",
}
WITH_TABLES = {
    "GET /sign-in": "public",
    "POST /sign-in": "public",
    "POST /sign-out": "public",
    "GET /audit": "reads operator",
    "GET /dead-letters": "reads viewer",
    "GET /dead-letters/{letter_id}": "reads viewer",
    "POST /dead-letters/{letter_id}/resend": "changes operator dead-letter.resend",
    "POST /dead-letters/{letter_id}/discard": "changes operator dead-letter.discard",
    "GET /parked-events": "reads viewer",
    "GET /outbox": "reads viewer",
    "GET /doctor": "reads viewer",
    "POST /doctor/fix": "changes operator doctor.fix",
    "GET /asyncapi": "reads viewer",
}
ORDERS_API = {
    "POST /orders": "changes operator order.place",
    "GET /orders": "reads viewer",
    "GET /orders/stream": "reads viewer",
    "GET /orders/{order_id}": "reads viewer",
    "POST /orders/{order_id}/cancel": "changes operator order.cancel",
    "GET /orders/{order_id}/attention": "reads viewer",
    "POST /orders/{order_id}/retry": "changes operator order.retry",
    "GET /batches": "reads viewer",
    "GET /batches/{batch_id}": "reads viewer",
    "GET /payments": "reads viewer",
    "GET /payments/{order_id}": "reads viewer",
    "GET /tasks": "reads viewer",
    "GET /tasks/{task_id}": "reads viewer",
    "POST /tasks/{task_id}/complete": "changes operator task.complete",
    "POST /workflows/start/{suffix}": "changes operator workflow.start",
    "POST /workflows/purge": "changes operator workflow.purge",
    "POST /workflows/{workflow_name}/start": "changes operator workflow.start",
    "GET /workflows": "reads viewer",
    "GET /workflows/{instance_id}/status": "reads viewer",
    "GET /workflows/{instance_id}/history": "reads viewer",
    "GET /workflows/{instance_id}/wait": "reads viewer",
    "GET /workflows/{instance_id}/saved-histories": "reads viewer",
    "POST /workflows/{instance_id}/pause": "changes operator workflow.pause",
    "POST /workflows/{instance_id}/resume": "changes operator workflow.resume",
    "POST /workflows/{instance_id}/purge": "changes operator workflow.purge",
    "POST /workflows/{instance_id}/terminate": "changes operator workflow.terminate",
    "POST /workflows/{instance_id}/raise_event/{event_name}": (
        "changes operator workflow.raise-event"
    ),
    "POST /workflows/{instance_id}/rerun": "changes operator workflow.rerun",
}
BOARD = {
    "GET /": "page viewer",
    "GET /board/changes": "page viewer",
    "GET /board/orders/{order_id}": "page viewer",
    "GET /board/orders/{order_id}/cancel": "page operator",
    "POST /board/orders/{order_id}/cancel": "form operator order.cancel",
    "POST /board/orders/{order_id}/retry": "form operator order.retry",
    "GET /board/new-order": "page operator",
    "POST /board/new-order": "form operator order.place",
    "GET /board/stock": "page viewer",
    "POST /board/stock/restock": "form operator stock.restock",
    "GET /board/batches": "page viewer",
    "GET /board/batches/{batch_id}": "page viewer",
    "GET /board/tasks": "page viewer",
    "POST /board/tasks/{task_id}/complete": "form operator task.complete",
    "GET /board/workflows": "page viewer",
    "GET /board/workflows/{instance_id}": "page viewer",
    "GET /board/workflows/{instance_id}/terminate": "page operator",
    "GET /board/workflows/{instance_id}/purge": "page operator",
    "GET /board/workflows/{instance_id}/raise": "page operator",
    "POST /board/workflows/{instance_id}/pause": "form operator workflow.pause",
    "POST /board/workflows/{instance_id}/resume": "form operator workflow.resume",
    "POST /board/workflows/{instance_id}/terminate": "form operator workflow.terminate",
    "POST /board/workflows/{instance_id}/purge": "form operator workflow.purge",
    "POST /board/workflows/{instance_id}/raise": "form operator workflow.raise",
    "POST /board/workflows/{instance_id}/raise/confirm": "form operator",
    "GET /board/dead-letters": "page viewer",
    "GET /board/dead-letters/{letter_id:int}": "page viewer",
    "GET /board/dead-letters/{letter_id:int}/payload": "page viewer",
    "GET /board/dead-letters/preview": "page operator",
    "POST /board/dead-letters/resend": "form operator",
    "GET /board/dead-letters/discard": "page operator",
    "POST /board/dead-letters/discard": "form operator",
    "POST /board/dead-letters/{letter_id:int}/resend": "form operator dead-letter.resend",
    "POST /board/dead-letters/{letter_id:int}/correct": "form operator dead-letter.resend",
    "POST /board/dead-letters/{letter_id:int}/discard": "form operator dead-letter.discard",
    "GET /board/audit": "page operator",
}
APPROVALS_API = {
    "GET /approvals": "reads viewer",
    "GET /approvals/{order_id}": "reads viewer",
    "POST /approvals/{order_id}/decision": "changes approver",
}
INBOX = {
    "GET /": "page viewer",
    "GET /inbox/changes": "page viewer",
    "GET /inbox/decided": "page viewer",
    "GET /inbox/requests/{order_id}": "page viewer",
    "GET /inbox/requests/{order_id}/decision": "page viewer",
    "POST /inbox/requests/{order_id}/decision": "form approver",
    "GET /inbox/requests/{order_id}/confirm": "page approver",
    "POST /inbox/requests/{order_id}/confirm": "form approver",
    "GET /inbox/dead-letters": "page operator",
    "GET /inbox/dead-letters/{letter_id:int}": "page operator",
    "GET /inbox/dead-letters/{letter_id:int}/payload": "page operator",
    "GET /inbox/dead-letters/preview": "page operator",
    "POST /inbox/dead-letters/resend": "form operator",
    "GET /inbox/dead-letters/discard": "page operator",
    "POST /inbox/dead-letters/discard": "form operator",
    "POST /inbox/dead-letters/{letter_id:int}/resend": "form operator dead-letter.resend",
    "POST /inbox/dead-letters/{letter_id:int}/correct": "form operator dead-letter.resend",
    "POST /inbox/dead-letters/{letter_id:int}/discard": "form operator dead-letter.discard",
    "GET /inbox/audit": "page operator",
}
GUARDS = {
    ORDERS: {**ORDERS_API, **BOARD, **WITH_TABLES},
    APPROVALS: {**APPROVALS_API, **INBOX, **WITH_TABLES},
    INVENTORY: {"GET /stock": "reads viewer"},
}


@pytest.mark.parametrize("app_id", SERVICES)
def test_every_route_has_its_guard(app_id: str) -> None:
    """A new route, page or service, or a changed guard, must be listed here."""
    assert service_code.edge_of(app_id).routes == {**GUARDS[app_id], **EVERYWHERE}
