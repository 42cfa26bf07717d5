"""Approvals: the service that owns requests for approval and the decisions about them."""
