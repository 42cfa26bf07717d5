"""Explains invalid input in sentences: which field, what was sent, and what is expected."""

import json
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orderflow_hosting.problems import field_of, message_of

MOST_SENTENCES: Final = 5
LONGEST_VALUE: Final = 60
_LONGEST_NAME: Final = 100
_VALUE_ERROR: Final = "Value error, "


def explain(error: ValidationError) -> str:
    """Explain what is wrong, a sentence for each of the first fields."""
    errors = [each for each in error.errors(include_url=False) if not _follows(each, error)]
    sentences = [_sentence(each) for each in errors[:MOST_SENTENCES]]
    if more := len(errors) - MOST_SENTENCES:
        sentences += [f"{more} more fields are invalid."] if more > 0 else []
    return " ".join(sentences)


def _follows(found: ErrorDetails, error: ValidationError) -> bool:
    """Whether a list counts as too short only because its members are invalid."""
    if found["type"] != "too_short":
        return False
    place = found["loc"]
    others = (each["loc"] for each in error.errors(include_url=False, include_input=False))
    return any(other[: len(place)] == place and other != place for other in others)


def _sentence(error: ErrorDetails) -> str:
    field = _shortened(field_of(error, 0), _LONGEST_NAME)
    if error["type"] == "missing":
        return f"{field} is missing."
    expected = message_of(error).removeprefix(_VALUE_ERROR)
    sent = json.dumps(error["input"], ensure_ascii=False, default=str)
    return f"{field} is {_shortened(sent, LONGEST_VALUE)}: {expected}."


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
