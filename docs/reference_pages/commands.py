"""The page of commands: `orderflow` as its program describes itself, and the targets of `make`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from orderflow_cli.main import app
from reference_pages.markdown import code, page, table

ROOT: Final = Path(__file__).resolve().parents[2]
TARGET: Final = re.compile(r"^([a-z-]+):.*## (.+)$", re.MULTILINE)

INTRODUCTION: Final = """\
`.venv/bin/orderflow` is a client of the running services. Every command answers `--help`.

| Exit code | Meaning |
| --- | --- |
| 0 | done |
| 1 | failed, or refused by a service; the message says why |
| 2 | wrong arguments |
| 3 | an order or a workflow did not complete, or a history does not fit the code |
| 4 | timeout: the workflow has not ended yet |
| 5 | `doctor` found something that disagrees |"""


def commands_page() -> str:
    """Write the page."""
    root = typer.main.get_command(app)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = ((code(f"make {name}"), text) for name, text in TARGET.findall(makefile))
    return page(
        "Commands",
        "## orderflow",
        INTRODUCTION,
        *_commands(root, "orderflow"),
        "## make",
        "`ARGS=…` passes arguments to the target, if it takes any.",
        table(("Target", "What it does"), targets),
    )


def _commands(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    for child in sorted(children):
        yield from _commands(children[child], f"{name} {child}")
    if not children or command.invoke_without_command:
        yield from _command(command, name)


def _command(command: Any, name: str) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"### {name}"
    yield " ".join(f"{command.help}".split())
    yield f"```text\n{name} {usage}\n```"
    records = [each.get_help_record(context) for each in command.get_params(context)]
    rows = [
        (code(first), text) for first, text in records if not first.startswith(("--help", "-h"))
    ]
    if rows:
        yield table(("Argument or option", "Meaning"), rows)
