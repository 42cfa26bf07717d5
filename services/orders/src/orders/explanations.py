"""Explains in sentences why an order was rejected. Pure."""

from datetime import datetime

from orderflow_contracts.approvals import Decision
from orderflow_contracts.inventory import ReservationRejected, Shortage


def why_not_reserved(reply: ReservationRejected) -> str:
    """Name each item that is short or unknown, with the quantities."""
    if reply.reason == "released":
        return "The reservation had been released before it was made."
    sentences = [_shortage(short) for short in reply.shortages]
    if reply.reason == "unknown_item":
        of_these = "This item does" if len(sentences) == 1 else "At least one of these items does"
        sentences.append(f"{of_these} not exist.")
    return " ".join(sentences)


def _shortage(short: Shortage) -> str:
    available = f"only {short.available:,}" if short.available else "none"
    are = "is" if short.available <= 1 else "are"
    return f"{short.item}: {short.requested:,} ordered, but {available} {are} available."


def why_denied(decision: Decision) -> str:
    """Name the approver, and what they wrote."""
    comment = decision.comment.strip()
    return (
        f"{decision.approver} denied it: {comment}"
        if comment
        else f"{decision.approver} denied it."
    )


def why_expired(expires_at: datetime) -> str:
    """Say until when it could have been approved."""
    return f"It was not approved by {expires_at:%Y-%m-%d %H:%M:%S} UTC."


def why_declined(words: str) -> str:
    """Quote the payment provider."""
    return f"The payment provider declined: {words}" if words else "The payment provider declined."
