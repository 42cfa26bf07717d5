"""What documents link to exists, and so do the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, groupby
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
import typer

from documents.markdown_files import ROOT, anchors, documents, links, shell_lines
from orderflow_cli.main import app

LONGEST_README_WORDS: Final = 900
ELSEWHERE: Final = re.compile(r"[a-z]+:")
SETTING: Final = re.compile(r"[A-Z_]+=")
TARGET: Final = re.compile(r"^([a-z-]+):", re.MULTILINE)


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Each link and image within the repository names a file that exists, and an anchor in it."""
    for link in links(document):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (document.parent / path).resolve() if path else document

        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(document: Path) -> None:
    """Each `orderflow` command, option and target of make that a document shows exists."""
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    for line in shell_lines(document):
        for words in _commands(line):
            if words[0] == "make":
                assert {word for word in words[1:] if "=" not in word} <= targets, line
            elif words[0] in ("orderflow", ".venv/bin/orderflow"):
                _check(words[1:], line)


def _commands(line: str) -> Iterator[list[str]]:
    """Split a line at pipes and semicolons; variables that are set for one command are left out."""
    opened = line.replace("$(", "; ").replace(")", " ")
    lexer = shlex.shlex(opened, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    for is_separator, words in groupby(lexer, key=lambda word: word in {"|", ";", "&&"}):
        command = list(dropwhile(lambda word: SETTING.match(word) is not None, words))
        if command and not is_separator:
            yield command


def _check(words: list[str], line: str) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}

    assert command.name != "orderflow", line
    assert {word for word in words if word.startswith("--")} <= {*options, "--help"}, line


def test_the_readme_is_short() -> None:
    """The README has at most 900 words: everything else is a document of its kind."""
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()

    assert len(words) <= LONGEST_README_WORDS
