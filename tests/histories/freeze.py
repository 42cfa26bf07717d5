"""Freeze the inputs of the golden histories, with defaults: `python tests/histories/freeze.py`.

An input that was recorded before a field existed gets the field's default when it is read. A
default that changes later would change what running instances do, so each field's value is written
down for each history, once; only fields that are not there yet are added.
"""

import inspect
import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from orderflow_workflow_runtime.histories import Recording
from orders.workflows import WORKFLOWS

HERE: Final = Path(__file__).resolve().parent
INPUTS: Final = HERE / "inputs"


def read_input(recording: Recording) -> Any:
    """Return the input of a recorded workflow as today's code parses it, as JSON."""
    started = next(e["executionStarted"] for e in recording.events if "executionStarted" in e)
    given = json.loads(started.get("input", "null"))
    _, parameter = inspect.signature(WORKFLOWS[recording.workflow]).parameters.values()
    model = parameter.annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return model.model_validate(given).model_dump(mode="json")
    return given


def frozen_input(path: Path) -> Any:
    """Return the frozen input of a golden history; an empty object if there is none."""
    file = INPUTS / path.name
    return json.loads(file.read_text("utf-8")) if file.exists() else {}


def freeze() -> None:
    """Add missing fields, and change no existing ones."""
    INPUTS.mkdir(exist_ok=True)
    for path in sorted(HERE.glob("*.json")):
        now = read_input(Recording.read(path.read_bytes(), path.name))
        frozen = {**now, **frozen_input(path)} if isinstance(now, dict) else now
        (INPUTS / path.name).write_text(json.dumps(frozen, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    freeze()
