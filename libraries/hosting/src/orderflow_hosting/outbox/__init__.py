"""The outbox: messages that a change of state owes are written with it, and then published."""

from orderflow_hosting.outbox.api import outbox_router
from orderflow_hosting.outbox.messages import Message, message, unchanged
from orderflow_hosting.outbox.relay import Relay
from orderflow_hosting.outbox.table import add_within, outbox_tables

__all__ = [
    "Message",
    "Relay",
    "add_within",
    "message",
    "outbox_router",
    "outbox_tables",
    "unchanged",
]
