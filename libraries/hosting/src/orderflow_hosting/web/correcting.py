"""The payload of a dead letter as a text that people correct in a form."""

import json
from dataclasses import dataclass
from typing import Any, Final

from orderflow_contracts.dead_letters import DeadLetterWithData
from orderflow_hosting.events import NotJson, read_json
from orderflow_hosting.problems import Problem
from orderflow_hosting.web.filters import visible

MOST_EDITED: Final = 100_000
"""The longest payload that is edited in a form, in characters."""


@dataclass(frozen=True)
class Editable:
    """The text of a payload in a form, or why it cannot be edited there."""

    text: str = ""
    obstacle: str | None = None

    @classmethod
    def of(cls, letter: DeadLetterWithData) -> "Editable":
        """Write the payload over several lines if it is JSON."""
        if letter.data is None:
            return cls(obstacle="The payload is not text")
        if len(letter.data) > MOST_EDITED:
            return cls(obstacle=f"The payload has more than {MOST_EDITED:,} characters")
        try:
            value = read_json(letter.data)
        except NotJson:
            # Tabs may stand between values, where an escape would be wrong.
            return cls("\t".join(map(visible, letter.data.replace("\r\n", "\n").split("\t"))))
        return cls(visible(json.dumps(value, indent=2, ensure_ascii=False)))

    def read(self, typed: str) -> Any:
        """Read a corrected payload; raise `INVALID_INPUT` naming the place that is wrong."""
        text = typed.replace("\r\n", "\n")
        if self.obstacle is not None:
            raise _refused(f"{self.obstacle.lower()}, so it cannot be edited here")
        try:
            value = read_json(text)
        except NotJson as error:
            place = f"line {error.line}, column {error.column}: " if error.line else ""
            raise _refused(f"the corrected payload cannot be read: {place}{error}") from None
        if value is None:
            raise _refused("the corrected payload must not be null")
        if text.strip() == self.text.strip():
            raise _refused("the payload was not changed: to send it as it was, resend it")
        return value


def _refused(detail: str) -> Problem:
    return Problem(422, "INVALID_INPUT", detail)
