"""Start the service with `python -m inventory`."""

# Written by `make generate` from the declarations of the services.
from orderflow_hosting.launch import launch

launch("inventory")
