"""The input of the counter."""

from typing import Any

from orderflow_workflow_runtime.authoring.payload import Payload


class Count(Payload):
    """The input of the counter: the current count, and the pause before the next, in seconds."""

    value: int = 0
    pause_seconds: float = 1.0

    @classmethod
    def read(cls, start: Any) -> "Count":
        """Parse the input of the counter: nothing, a number, or a count.

        The Dapr CLI passes every input as a string, even a number.
        """
        if start is None:
            return cls()
        return cls.model_validate({"value": start} if isinstance(start, int | str) else start)

    def next(self) -> "Count":
        """Return the next count."""
        return self.model_copy(update={"value": self.value + 1})
