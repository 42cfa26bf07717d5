"""The files that follow from the declarations: `make generate` writes them, a test compares."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from orderflow_contracts.names import SIDECAR_RULES
from orderflow_lab.generated.definitions import definitions
from orderflow_lab.generated.entry_points import entry_points
from orderflow_lab.generated.local_run import run_file, scopes
from orderflow_lab.generated.manifests import manifests
from orderflow_lab.generated.project import project
from orderflow_lab.generated.scaled_objects import scaled_objects

MANIFESTS: Final = Path("deploy/base/services")
"""Everything in this folder is generated."""
RULES: Final = f"{SIDECAR_RULES}.yaml"
"""The sidecars' rules are the same in the local run and in a cluster."""

_PARTLY: Final[Mapping[str, Callable[[str], str]]] = {
    "dapr.yaml": run_file,
    "components/*.yaml": scopes,
    "pyproject.toml": project,
}
"""Files with other parts, by pattern, and what brings the generated part up to date."""


def files(root: Path) -> dict[Path, str]:
    """Return what each generated file of a checkout should hold, by its path in the checkout."""
    found = {
        path.relative_to(root): update(path.read_text(encoding="utf-8"))
        for pattern, update in _PARTLY.items()
        for path in sorted(root.glob(pattern))
    }
    made = {MANIFESTS / name: text for name, text in manifests().items()}
    rules = {Path("deploy/base/dapr") / RULES: found[Path("components") / RULES]}
    return {**found, **made, **rules, **scaled_objects(), **definitions(), **entry_points()}


def outdated(root: Path) -> list[Path]:
    """Return the files of a checkout that `make generate` would write or remove."""
    wanted = files(root)
    changed = (
        path
        for path, text in wanted.items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    )
    present = (path.relative_to(root) for path in (root / MANIFESTS).rglob("*.yaml"))
    return sorted({*changed, *(path for path in present if path not in wanted)})


def write(root: Path) -> list[Path]:
    """Bring the files of a checkout up to date, and return those that were not."""
    wanted, changed = files(root), outdated(root)
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
        else:
            (root / path).unlink()
    return changed
