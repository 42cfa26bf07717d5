"""Time is a port: the composition roots choose the clock, and everything else is given it."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_contracts.names import SERVICES

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.relative_to(ROOT)
    for folder in ("services", "libraries")
    for path in (ROOT / folder).glob("*/src/**/*.py")
)
ROOTS = [path for path in MODULES if path.name in {"main.py", "build.py"}]

EXEMPT = {
    Path("libraries/contracts/src/orderflow_contracts/fields.py"): "it is the clock",
}
"""Modules that may read the clock, and the reason."""

UPSTREAM = "upstream"
"""The folder of workarounds, which compare times of the engine, in seconds since the epoch."""

CHECKED = [path for path in MODULES if path not in EXEMPT and UPSTREAM not in path.parts]
READINGS = {
    "now",
    "fields.now",
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "datetime.datetime.now",
    "time.time",
    "time.time_ns",
}


def readings(tree: ast.Module) -> Iterator[int]:
    """Find the lines that read the time of day."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in READINGS:
            yield node.lineno


def without_clock(path: Path) -> Iterator[str]:
    """Find what a composition root creates without the clock that it could be given."""
    package = path.with_suffix("").parts[path.parts.index("src") + 1 :]
    module = vars(importlib.import_module(".".join(package)))
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        created = module.get(node.func.id)
        called = created.__init__ if inspect.isclass(created) else created
        if not callable(called) or "clock" not in inspect.signature(called).parameters:
            continue
        given = [ast.unparse(each) for each in (*node.args, *(key.value for key in node.keywords))]
        if not {"now", "base.clock"} & set(given):
            yield f"line {node.lineno}: {node.func.id}"


@pytest.mark.parametrize("path", CHECKED, ids=str)
def test_no_module_reads_the_clock_itself(path: Path) -> None:
    """A module asks the clock that it was given, so that a test can set the time."""
    assert list(readings(ast.parse((ROOT / path).read_text("utf-8")))) == []


@pytest.mark.parametrize("code", [f"at = {reading}()" for reading in sorted(READINGS)])
def test_every_way_to_read_the_clock_is_found(code: str) -> None:
    """The test above would fail for each of them."""
    assert list(readings(ast.parse(code))) == [1]


def test_the_modules_are_found() -> None:
    """The tests of this module look at something."""
    assert CHECKED
    assert {path.parts[1] for path in ROOTS} == SERVICES.keys()


@pytest.mark.parametrize("path", ROOTS, ids=str)
def test_composition_roots_hand_on_the_clock(path: Path) -> None:
    """Whatever takes a clock is given one where it is created, instead of its default."""
    assert list(without_clock(path)) == []
