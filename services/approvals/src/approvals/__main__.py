"""Start the service with `python -m approvals`, migrate its database with `… migrate`."""

from orderflow_hosting.launch import launch

launch("approvals")
