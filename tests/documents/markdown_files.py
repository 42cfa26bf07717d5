"""The documents of the repository, and what they link to and show."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).resolve().parents[2]
SHELLS: Final = frozenset({"sh", "bash"})
COMMANDS: Final = ("orderflow ", ".venv/bin/orderflow ", "make ")
_NO_SLUG: Final = re.compile(r"[^\w\- ]")


def documents() -> list[Path]:
    """Return every Markdown file that is part of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists()]


def links(document: Path) -> Iterator[str]:
    """Yield the target of each link and image."""
    for token in _tokens(document):
        for child in token.children or ():
            if target := child.attrGet("href") or child.attrGet("src"):
                yield str(target)


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of the headings, as repository pages give them."""
    following = pairwise(_tokens(document))
    titles = [text.content for head, text in following if head.type == "heading_open"]
    return frozenset(_NO_SLUG.sub("", title.lower()).replace(" ", "-") for title in titles)


def shell_lines(document: Path) -> Iterator[str]:
    """Yield each line for a shell, in blocks and within sentences; continued lines are joined."""
    for token in _tokens(document):
        if token.type == "fence" and token.info in SHELLS:
            yield from token.content.replace("\\\n", " ").splitlines()
        for child in token.children or ():
            if child.type == "code_inline" and child.content.startswith(COMMANDS):
                yield child.content


@cache
def _tokens(document: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))
