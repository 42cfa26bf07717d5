"""Orders: the service that accepts orders and carries each through its workflow."""
