"""What keeps workflows deterministic: the linter's bans, and checks that the linter cannot do."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """Run a step, wait a second, and return the time."""
    yield ctx.call_activity("step", input=name)
    yield ctx.create_timer(timedelta(seconds=1))
    return ctx.current_utc_datetime.isoformat()
'''
BANNED = "TID251"
CALLS = {"eval", "exec", "hash", "id", "input", "open", "print", "__import__"}
REPLAYED_OTHERWISE = [
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
]
"""Code banned in workflows, and a word of the linter's advice."""


def ruff(*arguments: str, folder: Path = ROOT, code: str | None = None) -> list[Any]:
    """Run the linter in a folder and return its findings."""
    outcome = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format", "json", *arguments],
        cwd=folder,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode in (0, 1), outcome.stderr
    found: list[Any] = json.loads(outcome.stdout)
    return found


def lint(code: str) -> dict[str, str]:
    """Run the linter on code as if it were in a workflow; return rules and messages."""
    found = ruff("--stdin-filename", str(ORDERING / "workflow.py"), "-", code=code)
    return {each["code"]: each["message"] for each in found}


def test_a_valid_workflow_passes_the_linter() -> None:
    """No rule forbids what workflows may do."""
    assert lint(GOOD) == {}
    assert list(offences(ast.parse(GOOD))) == []


@pytest.fixture(scope="module")
def banned(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Run the linter once on all banned code, in workflows and elsewhere; return its findings.

    The files are in a separate folder, under the paths that they would have in the project.
    """
    folder = tmp_path_factory.mktemp("project")
    files = dict.fromkeys(MODULES, f"import time\n\n{GOOD}    time.sleep(1)\n")
    for number, (imported, used, _) in enumerate(REPLAYED_OTHERWISE):
        code = f"{imported}\n\n{GOOD}    {used}\n"
        files |= dict.fromkeys(places(number), code)
    for path, code in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(code)
    found = ruff("--config", str(ROOT / "pyproject.toml"), folder=folder)
    return {
        Path(each["filename"]).relative_to(folder): each["message"]
        for each in found
        if each["code"] == BANNED
    }


def places(number: int) -> tuple[Path, Path, Path]:
    """Return the places of a case's code: a workflow, activities and a test."""
    case = f"case_{number}"
    return (
        ORDERING / case / "workflow.py",
        ORDERING / case / "activities.py",
        Path("tests/unit/orders") / case / "test_broken.py",
    )


@pytest.mark.parametrize(
    ("number", "instead"),
    [
        pytest.param(number, instead, id=used)
        for number, (_, used, instead) in enumerate(REPLAYED_OTHERWISE)
    ],
)
def test_nondeterministic_calls_are_banned_in_workflows(
    banned: dict[Path, str], number: int, instead: str
) -> None:
    """The message says what to use instead; elsewhere they are allowed."""
    workflow, activities, test = places(number)

    assert instead in banned[workflow]
    assert activities not in banned
    assert test not in banned


@pytest.mark.parametrize(("call", "rule"), [('print("x")', "T201"), ('open("x")', "PTH123")])
def test_output_and_files_are_banned_by_other_rules(call: str, rule: str) -> None:
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
def test_faults_that_the_linter_cannot_see_are_found(code: str) -> None:
    """The next test looks for them in the workflows."""
    assert list(offences(ast.parse(code)))


def test_every_workflow_is_checked() -> None:
    """The modules of all registered workflows are found, so the following checks miss none."""
    registered = {Path(inspect.getfile(workflow)) for workflow in WORKFLOWS.values()}
    assert registered
    assert registered <= {ROOT / path for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_clocks_and_io_are_banned_in_every_workflow_module(
    banned: dict[Path, str], path: Path
) -> None:
    """A workflow module whose name does not match the linter's pattern is found here."""
    assert path in banned


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_workflows_are_deterministic(path: Path) -> None:
    """They are generators that yield tasks, as mypy checks, and share no state."""
    assert list(offences(ast.parse((ROOT / path).read_text("utf-8")))) == []


def offences(tree: ast.Module) -> Iterator[str]:
    """Return what no workflow may contain, with its line."""
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
    """Return whether mypy refuses everything but tasks; `Steps` is an alias for that."""
    written = ast.unparse(function.returns) if function.returns else ""
    return written.startswith("Generator[Task[") or written == "Steps"
