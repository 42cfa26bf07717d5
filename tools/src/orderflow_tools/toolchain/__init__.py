"""Dapr for the local platform: found on the machine, or built from pinned Go modules."""
