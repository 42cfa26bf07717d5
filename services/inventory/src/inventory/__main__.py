"""Start the service: `python -m inventory`."""

from orderflow_hosting.launch import launch

launch("inventory")
