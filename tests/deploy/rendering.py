"""Renders the manifests as `kubectl apply -k` does."""

import copy
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from deploy.documents import Documents
from isolation import on_the_machine
from orderflow_lab.cluster import programs

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"


@dataclass(frozen=True)
class Variant:
    """An overlay with components, and its names in the list of secrets."""

    overlay: str
    components: tuple[str, ...] = ()
    broker: str = "local"

    def __str__(self) -> str:
        return "+".join((self.overlay, *self.components)).replace("/", "-")


LOCAL: Final = Variant("local")
PRODUCTION: Final = Variant("production", broker="redis")
WITH_KEDA: Final = Variant("production", ("keda/redis",), "redis")
VARIANTS: Final = (
    LOCAL,
    PRODUCTION,
    WITH_KEDA,
    Variant("production", ("tracing",), "redis"),
    Variant("production", ("kafka",), "kafka"),
    Variant("production", ("kafka", "keda/kafka"), "kafka"),
    Variant("production", ("rabbitmq",), "rabbitmq"),
    Variant("production", ("rabbitmq", "keda/rabbitmq", "tracing"), "rabbitmq"),
)


@cache
def find_kubectl() -> Path:
    """Return the kubectl that renders: the one named by ORDERFLOW_KUBECTL, or the pinned one."""
    named = os.environ.get("ORDERFLOW_KUBECTL")
    with on_the_machine():
        return Path(named) if named else programs.find_kubectl(ROOT)


@cache
def render_text(variant: Variant) -> str:
    """Render a variant; on failure raise with kubectl's message."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [_relative(here, DEPLOY / "overlays" / variant.overlay)],
            "components": [_relative(here, DEPLOY / "components" / c) for c in variant.components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        outcome = subprocess.run(
            [find_kubectl(), "kustomize", here], capture_output=True, text=True, check=False
        )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def render(variant: Variant) -> Documents:
    """Render a variant into a new list of documents, which may be changed."""
    return copy.deepcopy(_parsed(variant))


@cache
def _parsed(variant: Variant) -> Documents:
    return [each for each in yaml.load_all(render_text(variant), yaml.CSafeLoader) if each]


def _relative(start: Path, end: Path) -> str:
    """Return a relative path, since Kustomize accepts no other."""
    return os.path.relpath(end, start)
