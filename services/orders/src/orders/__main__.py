"""Start the service with `python -m orders`, migrate its database with `… migrate`."""

# Written by `make generate` from the declarations of the services.
from orderflow_hosting.launch import launch

launch("orders")
