"""Inventory: the service that owns stock and reservations."""
