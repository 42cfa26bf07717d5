"""The base class of everything that workflows and activities pass to each other."""

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """An immutable input or result; unknown fields, from a newer version, are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")
