"""Start the service with `python -m orders`, migrate its database with `… migrate`."""

from orderflow_hosting.launch import launch

launch("orders")
