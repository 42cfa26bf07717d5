"""The input of the counter."""

from typing import Any

from orderflow_workflow_runtime.authoring.payload import Payload


class Count(Payload):
    """The input of the counter: where it is, and the pause before the next, in seconds."""

    value: int = 0
    pause_seconds: float = 1.0

    @classmethod
    def read(cls, start: Any) -> "Count":
        """Read what the counter was started with: nothing, a number, or a count.

        The Dapr CLI hands over every input as a text, also a number.
        """
        if start is None:
            return cls()
        return cls.model_validate({"value": start} if isinstance(start, int | str) else start)

    def next(self) -> "Count":
        """Count one further."""
        return self.model_copy(update={"value": self.value + 1})
