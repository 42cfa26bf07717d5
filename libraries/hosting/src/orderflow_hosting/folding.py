"""Folds text so that searches ignore accents, case and Unicode encoding."""

import unicodedata
from typing import Final

_REMOVED: Final = frozenset({"Mn", "Me", "Cf"})
"""Categories of combining marks and invisible characters."""
MAX_ROUNDS: Final = 4


def fold(text: str) -> str:
    """Return the same text for all spellings of one: `José`, `jose`, `JOSÉ`.

    Folding again changes nothing. Text that consists only of marks is left as it is.
    """
    if text.isascii():
        return text.lower()
    for _ in range(MAX_ROUNDS):
        folded = _fold(text)
        if folded == text:
            break
        text = folded
    return text


def contains(text: str, part: str) -> bool:
    """Return whether the text contains the part, in any spelling."""
    return fold(part) in fold(text)


def _fold(text: str) -> str:
    # Upper case first: some letters, such as the Turkish dotless i, differ only in lower case.
    plain = unicodedata.normalize("NFKD", text).upper().casefold()
    plain = unicodedata.normalize("NFKD", plain)
    remaining = "".join(char for char in plain if unicodedata.category(char) not in _REMOVED)
    return remaining or plain
