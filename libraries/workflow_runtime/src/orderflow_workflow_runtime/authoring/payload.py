"""The base of everything that workflows and activities hand to each other."""

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """A frozen payload of the workflow engine."""

    model_config = ConfigDict(frozen=True, extra="ignore")
