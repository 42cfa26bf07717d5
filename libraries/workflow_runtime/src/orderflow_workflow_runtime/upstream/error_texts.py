"""Recognises by the text of an error that an instance is unknown, or its id in use.

Upstream: dapr/dapr#7824 (an unknown instance), dapr/python-sdk#874 (an id in use).

Versions: Dapr 1.18.1 and before.

Above: harmless. A proper code is recognised too, and is checked first.

How it shows: raising an event, pausing, resuming, terminating and purging for an unknown instance,
and starting under an id that is in use, fail with the gRPC code `UNKNOWN`, as every other failure
does. Reading a history and rerunning an instance have proper codes already.

Delete when: daprd returns `NOT_FOUND` and `ALREADY_EXISTS`; then check only the code.
`tests/system/upstream/test_error_texts.py` fails then.
"""

from typing import Any

import grpc

UNKNOWN_INSTANCE = "no such instance"
ID_IN_USE = "already exists"


def details_of(error: Any) -> str:
    """Return the message of an error, or its code if there is no message."""
    return str(error.details() or error.code().name)


def is_unknown_instance(error: Any) -> bool:
    """Whether the engine has no such instance."""
    return error.code() is grpc.StatusCode.NOT_FOUND or UNKNOWN_INSTANCE in details_of(error)


def is_id_in_use(error: Any) -> bool:
    """Whether an active instance has the id."""
    return error.code() is grpc.StatusCode.ALREADY_EXISTS or ID_IN_USE in details_of(error)
