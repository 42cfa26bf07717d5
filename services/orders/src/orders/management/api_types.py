"""What the HTTP routes of workflows take and return."""

import json
from typing import Annotated, Any, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel

INSTANCE_ID: Final = r"^[A-Za-z0-9_-]{1,100}$"

InstanceId = Annotated[
    str, Path(description="The id of a workflow instance", examples=["iwf-demo"])
]
NewInstanceId = Annotated[
    str | None,
    Query(pattern=INSTANCE_ID, description="The id to give it; one is made if none is named"),
]


def read_payload(value: Any) -> Any:
    """Read JSON that was sent under another content type, and refuse what cannot be passed on."""
    try:
        read = json.loads(value) if isinstance(value, bytes) else value
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("must be JSON") from None
    return read


Payload = AfterValidator(read_payload)


class Started(BaseModel):
    """An instance was started."""

    instance_id: str
    message: str


class Done(BaseModel):
    """What was asked is done or under way."""

    message: str


class Purged(Done):
    """The number of instances that were purged."""

    purged: int
