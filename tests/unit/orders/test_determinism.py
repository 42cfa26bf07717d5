"""What keeps workflows deterministic: the linter's bans, and what the linter cannot see."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orders.workflows import WORKFLOWS

ROOT = Path(__file__).parents[3]
ORDERING = Path("services/orders/src/orders/ordering")
CONTEXT = "DaprWorkflowContext"

MODULES = sorted(
    path.relative_to(ROOT)
    for folder in ("services", "libraries")
    for path in (ROOT / folder).glob("*/src/**/*.py")
    if CONTEXT in path.read_text("utf-8") or path.name in {"actions.py", "steps.py"}
)
"""Every module with workflow code, which names the context of workflows, or with their steps."""

GOOD = '''"""A workflow that does nothing but give its steps."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from dapr.ext.workflow import DaprWorkflowContext

from orderflow_workflow_runtime.authoring.tasks import Task


def good_workflow(ctx: DaprWorkflowContext, name: str) -> Generator[Task[Any], Any, str]:
    """Do a step, wait a second, and tell the time."""
    yield ctx.call_activity("step", input=name)
    yield ctx.create_timer(timedelta(seconds=1))
    return ctx.current_utc_datetime.isoformat()
'''
BANNED = "TID251"
CALLS = {"eval", "exec", "hash", "id", "input", "open", "print", "__import__"}


def lint(code: str, path: Path = ORDERING / "workflow.py") -> dict[str, str]:
    """Run the linter on code as if it stood at this path; return rules and what they say."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json"]
    outcome = subprocess.run(
        [*command, "--stdin-filename", str(path), "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode in (0, 1), outcome.stderr
    return {found["code"]: found["message"] for found in json.loads(outcome.stdout)}


def test_a_good_workflow_is_clean() -> None:
    """No rule stands in the way of what a workflow may do."""
    assert lint(GOOD) == {}
    assert list(offences(ast.parse(GOOD))) == []


@pytest.mark.parametrize(
    ("imported", "used", "instead"),
    [
        ("import datetime as dt", "dt.datetime.now(dt.UTC)", "current_utc_datetime"),
        ("from datetime import datetime", "datetime.utcnow()", "current_utc_datetime"),
        ("from datetime import date", "date.today()", "current_utc_datetime"),
        ("import time", "time.sleep(1)", "create_timer"),
        ("from time import monotonic", "monotonic()", "create_timer"),
        ("from orderflow_contracts.fields import now", "now()", "current_utc_datetime"),
        ("import random", "random.random()", "activity's result"),
        ("import secrets", "secrets.token_hex()", "activity's result"),
        ("import uuid", "uuid.uuid4()", "activity's result"),
        ("from uuid import uuid1", "uuid1()", "activity's result"),
        ("import os", 'os.environ["X"]', "input"),
        ("from os import environ", 'environ["X"]', "input"),
        ("import sys", "sys.argv", "input"),
        ("import httpx", 'httpx.get("x")', "activity"),
        ("import socket", "socket.socket()", "activity"),
        ("import subprocess", "subprocess", "activity"),
        ("from pathlib import Path", 'Path("x").read_text()', "activity"),
        ("from sqlalchemy import select", "select()", "activity"),
        ("import logging", "logging.getLogger()", "activity"),
        ("import structlog", "structlog.get_logger()", "activity"),
        ("import asyncio", "asyncio.sleep(1)", "when_any"),
        ("import threading", "threading.Lock()", "when_any"),
        ("from concurrent.futures import ThreadPoolExecutor", "ThreadPoolExecutor()", "when_any"),
    ],
)
def test_what_a_replay_would_find_otherwise_is_banned(
    imported: str, used: str, instead: str
) -> None:
    """The linter refuses it in workflows and says what to do; elsewhere it may be used."""
    code = f"{imported}\n\n{GOOD}    {used}\n"

    assert instead in lint(code)[BANNED]
    assert BANNED not in lint(code, ORDERING / "activities.py")
    assert BANNED not in lint(code, Path("tests/unit/orders/test_broken.py"))


@pytest.mark.parametrize(("call", "rule"), [('print("x")', "T201"), ('open("x")', "PTH123")])
def test_output_and_files_are_refused_by_other_rules(call: str, rule: str) -> None:
    """They need no import that could be banned."""
    assert rule in lint(f"{GOOD}    {call}\n")


@pytest.mark.parametrize(
    "code",
    [
        "async def flow(ctx): ...",
        "async def part(ctx): await ctx",
        "def flow(ctx): input()",
        "def flow(ctx): open('x')",
        "def flow(ctx): return hash('x')",
        "count = 0\ndef flow(ctx):\n    global count",
        "def flow(ctx): yield ctx",
        "def flow(ctx) -> Generator[Any, Any, str]: yield ctx",
        "def flow(ctx) -> Any: yield ctx",
    ],
)
def test_what_the_linter_cannot_see_is_found(code: str) -> None:
    """It is what the next test looks for in the workflows."""
    assert list(offences(ast.parse(code)))


def test_every_workflow_is_among_those_that_are_checked() -> None:
    """The modules of all registered workflows are found, so the checks below miss none."""
    registered = {Path(inspect.getfile(workflow)) for workflow in WORKFLOWS.values()}
    assert registered
    assert registered <= {ROOT / path for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_clocks_and_io_are_banned_in_every_workflow_module(path: Path) -> None:
    """A workflow module whose name escapes the linter's pattern is found here."""
    assert BANNED in lint(f"import time\n\n{GOOD}    time.sleep(1)\n", path)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_workflows_are_deterministic(path: Path) -> None:
    """They are generators that yield tasks, as mypy checks, and share no state."""
    assert list(offences(ast.parse((ROOT / path).read_text("utf-8")))) == []


def offences(tree: ast.Module) -> Iterator[str]:
    """Find what no workflow may hold, and say it with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield f"line {node.lineno}: the engine runs workflows, and they are not async"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"line {node.lineno}: {name}() may give or do something else in a replay"
            case ast.Global():
                yield f"line {node.lineno}: state that instances share is not in their histories"
            case ast.FunctionDef() if yields(node) and not is_typed(node):
                yield f"line {node.lineno}: {node.name} yields: annotate Generator[Task[Any], ...]"


def yields(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def is_typed(function: ast.FunctionDef) -> bool:
    """Tell whether mypy refuses whatever is no task; `Steps` is an alias for that."""
    written = ast.unparse(function.returns) if function.returns else ""
    return written.startswith("Generator[Task[") or written == "Steps"
