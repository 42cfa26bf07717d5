"""The methods of approvals that other applications invoke through Dapr."""

from approvals.decisions.service import ApprovalService
from orderflow_contracts import names
from orderflow_contracts.approvals import RequestsWanted
from orderflow_hosting.dapr_app import DaprApp


def offer_methods(app: DaprApp, service: ApprovalService) -> None:
    """Offer the method by which orders reads requests and the decisions on record."""
    callers = names.SERVICES[names.APPROVALS].methods[names.REQUESTS]
    app.on_method(names.REQUESTS, RequestsWanted, service.requests, callers=callers)
