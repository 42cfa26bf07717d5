"""Cancelling and charging an order are decided on its row."""

from typing import Final

from alembic import op
from sqlalchemy import Column, DateTime, String, text

revision: Final = "0008"
down_revision: Final = "0007"


def upgrade() -> None:
    """Add columns that earlier versions ignore."""
    op.add_column("orders", Column("charge_sent_at", DateTime(timezone=True)))
    op.add_column("orders", Column("compensation", String(16)))
    is_to_be_compensated = text("compensation IS NOT NULL")
    op.create_index(
        "orders_to_compensate",
        "orders",
        ["order_id"],
        sqlite_where=is_to_be_compensated,
        postgresql_where=is_to_be_compensated,
    )
