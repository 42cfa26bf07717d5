"""The Markdown elements that the reference pages consist of."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

CODE: Final = re.compile(r"(`[^`]*`)")


def page(title: str, *blocks: str) -> str:
    """Return a whole page: a heading, and blocks separated by empty lines."""
    note = "<!-- Written by `make reference` from the code. Change the code, not this page. -->"
    return "\n\n".join(block for block in (note, f"# {title}", *blocks) if block) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a line break or a bar within a cell does not end it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: object) -> str:
    """Return a text as code, or nothing for an empty one."""
    return f"`{text}`" if str(text) else ""


def prose(text: str) -> str:
    """Return a text on one line, in which no `<` begins an HTML tag."""
    parts = CODE.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("<", r"\<") for part in parts)


def _cell(text: str) -> str:
    return prose(text).replace("|", r"\|")
