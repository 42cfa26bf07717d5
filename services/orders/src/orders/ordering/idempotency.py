"""The header `Idempotency-Key` of orders that are placed without an `order_id`.

It follows the IETF draft httpapi-idempotency-key-header. The order's id is derived from the caller
and the key, so the table of orders is the memory: a key is kept for as long as its order, which is
for ever, and nothing else has to be stored, expired or cleaned up. An invalid request stores no
order, so its key can be used again.

The transaction that stores an order decides between requests that arrive at once: one stores it,
and each of the others finds it and answers with it. None can find another one in progress, so the
draft's 409 for that case never occurs.

With an `order_id`, which does the same job, the header is ignored.
"""

import re
from typing import Final

from fastapi import Request

from orderflow_contracts.order_ids import id_of_key
from orderflow_hosting.access import Principal
from orderflow_hosting.problems import FieldError, Problem

HEADER: Final = "Idempotency-Key"
LONGEST: Final = 255
EXPECTED: Final = f'must be a text of 1 to {LONGEST} printable ASCII characters, such as "8e03978e"'

_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
"""A string as RFC 8941 writes it."""
_BARE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")
"""What many clients send instead: the same key without quotes."""
_ESCAPED: Final = re.compile(r"\\(.)")


def order_id_of_key(request: Request, caller: Principal) -> str | None:
    """Return the id that the request's key gives its order; None without a key.

    Callers whom the service knows have keys of their own. Raises `INVALID_INPUT`.
    """
    sent = request.headers.getlist(HEADER)
    if not sent:
        return None
    key = _read(sent[0]) if len(sent) == 1 else ""
    if not 1 <= len(key) <= LONGEST:
        error = FieldError(field=HEADER, message=EXPECTED)
        raise Problem(422, "INVALID_INPUT", f"{HEADER}: {EXPECTED}", [error])
    return id_of_key("" if caller.via == "open" else caller.name, key)


def key_reused() -> Problem:
    """Return the problem of a key that was sent before with other content."""
    reason = f"this {HEADER} was used for an order with other content"
    return Problem(422, "IDEMPOTENCY_KEY_REUSED", reason)


def _read(text: str) -> str:
    """Read a key, with or without quotes; return an empty one if it is neither."""
    if quoted := _QUOTED.fullmatch(text):
        return _ESCAPED.sub(r"\1", quoted[1])
    return text if _BARE.fullmatch(text) else ""
