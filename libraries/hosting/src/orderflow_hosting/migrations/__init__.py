"""Schema migrations with Alembic: applied under a lock, and checked when a service starts."""
