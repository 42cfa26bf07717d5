"""Approvals: the service that owns approval requests and the decisions about them."""
