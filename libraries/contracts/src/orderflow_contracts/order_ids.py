"""The ids of orders that whoever submits them does not name. Pure.

A derived id is the first 32 hexadecimal digits of the SHA-256 of all parts, one after the other,
each in UTF-8 and preceded by its length in bytes and a colon. So anyone can compute it:

>>> id_of_event("/shop", "urn:uuid:7.1")
'6fd4fe283e62dee8a063f291afda5562'
"""

import hashlib
from typing import Final

_DIGITS: Final = 32


def id_of_event(source: str, event_id: str) -> str:
    """Return the id derived from an event: the order's id if the event's own cannot be used.

    That is if the event's id does not have the form of an order id, or already stands for an order
    that another source's event or an explicit `order_id` named.
    """
    return _derived(source, event_id)


def id_of_key(caller: str, key: str) -> str:
    """Return the id of an order that a caller places over HTTP with this `Idempotency-Key`."""
    return _derived("Idempotency-Key", caller, key)


def _derived(*parts: str) -> str:
    encoded = (part.encode() for part in parts)
    text = b"".join(b"%d:%s" % (len(part), part) for part in encoded)
    return hashlib.sha256(text).hexdigest()[:_DIGITS]
