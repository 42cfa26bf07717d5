"""The settings of a broker's component that the local run shares with Kubernetes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def deployed_spec(root: Path, broker: str, own: Mapping[str, str]) -> dict[str, Any]:
    """Return the `spec` in deploy/components/<broker>, with these values instead of its own.

    Settings that are read from a secret there and have no value here are left out.
    """
    path = root / "deploy" / "components" / broker / "pubsub.yaml"
    (patch,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    spec: dict[str, Any] = patch["value"]
    shared = [
        item for item in spec["metadata"] if item["name"] not in own and "secretKeyRef" not in item
    ]
    local = [{"name": name, "value": value} for name, value in own.items()]
    return {**spec, "metadata": [*local, *shared]}
