"""The `orderflow` command: a client of the running services."""
