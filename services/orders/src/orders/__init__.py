"""Orders: the service that accepts orders and processes each in a workflow."""
