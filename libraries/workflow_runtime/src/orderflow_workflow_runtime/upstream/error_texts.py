"""Recognises by the text of an error that an instance is unknown, or that its id is in use.

Upstream: dapr/dapr#7824 (an unknown instance), dapr/python-sdk#874 (an id in use).

Versions: Dapr 1.18.1; all before it have one or the other text.

How it shows: raising an event, pausing, resuming, terminating and purging of an unknown instance,
and starting under an id that is in use, fail with the gRPC code `UNKNOWN`, which every other
failure has too. Reading a history and running an instance again give proper codes already.

Delete when: daprd answers with `NOT_FOUND` and `ALREADY_EXISTS`; then look at the code alone.
`tests/system/upstream/test_error_texts.py` fails then.
"""

from typing import Any

import grpc

UNKNOWN_INSTANCE = "no such instance"
ID_IN_USE = "already exists"


def details_of(error: Any) -> str:
    """Return what an error says, or its code where it says nothing."""
    return str(error.details() or error.code().name)


def is_unknown_instance(error: Any) -> bool:
    """Whether the engine knows no such instance."""
    return error.code() is grpc.StatusCode.NOT_FOUND or UNKNOWN_INSTANCE in details_of(error)


def is_id_in_use(error: Any) -> bool:
    """Whether an active instance has the id."""
    return error.code() is grpc.StatusCode.ALREADY_EXISTS or ID_IN_USE in details_of(error)
