"""Strict schemas of all resources in the manifests: an unknown field is a mistake."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

from deploy.documents import Document, Documents, title
from deploy.rendering import ROOT
from isolation import on_the_machine
from orderflow_tools.toolchain.cache import cache_folder
from orderflow_tools.toolchain.dapr import RUNTIME_VERSION
from orderflow_tools.toolchain.go_compiler import find_go

KUBERNETES: Final = "1.35"
DAPR_PINS: Final = ROOT / "tools" / "dapr-toolchain" / "runtime"
KEDA_PINS: Final = Path(__file__).parent / "keda-crds"
KEDA: Final = "github.com/kedacore/keda/v2@v2.20.2"
DAPR: Final = f"github.com/dapr/dapr@v{RUNTIME_VERSION}"


def schema_findings(documents: Documents) -> list[str]:
    """Report documents that the API server would refuse, or accept with an ignored field."""
    return [f"{title(each)}: {wrong}" for each in documents for wrong in _wrong(json.dumps(each))]


@cache
def _wrong(text: str) -> tuple[str, ...]:
    """Check each document once, however many environments share it."""
    document = json.loads(text)
    group = document["apiVersion"].partition("/")[0]
    if group in ("dapr.io", "keda.sh"):
        schema = custom_schemas()[group, document["kind"]]
        errors = Draft202012Validator(schema).iter_errors(document)
        return tuple(f"{error.json_path}: {error.message}" for error in errors)
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return (f"{error.json_path}: {error.message}",)
    return ()


@cache
def custom_schemas() -> dict[tuple[str, str], Document]:
    """Return the schema of each kind that Dapr or KEDA defines, by group and kind."""
    folders = (
        go_module(DAPR_PINS, DAPR) / "charts" / "dapr" / "crds",
        go_module(KEDA_PINS, KEDA) / "config" / "crd" / "bases",
    )
    found = {}
    for path in (path for folder in folders for path in folder.glob("*.yaml")):
        for definition in yaml.safe_load_all(path.read_text()):
            names, versions = definition["spec"]["names"], definition["spec"]["versions"]
            served = next(version for version in versions if version["storage"])
            schema = strict(served["schema"]["openAPIV3Schema"])
            found[definition["spec"]["group"], names["kind"]] = schema
    return found


def strict(schema: Any) -> Any:
    """Return the schema with all objects closed to unknown fields."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    is_open = closed.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(closed.get("properties"), dict) and "type" in closed and not is_open:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def go_module(pins: Path, module: str) -> Path:
    """Return the path of a Go module, fetched and checked against its pinned checksum."""
    with on_the_machine():
        go = find_go(cache_folder(), pins / "go.mod")
        outcome = subprocess.run(
            [go.program, "mod", "download", "-json", module],
            cwd=pins,
            capture_output=True,
            text=True,
            check=False,
        )
    assert outcome.returncode == 0, f"{module}: {outcome.stdout}{outcome.stderr}"
    return Path(json.loads(outcome.stdout)["Dir"])
