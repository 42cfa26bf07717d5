"""What the local run shares with a broker's component for Kubernetes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def deployed_spec(root: Path, broker: str, own: Mapping[str, str]) -> dict[str, Any]:
    """Return the `spec` in deploy/components/<broker>, with these values instead of its own.

    Settings that are read from a secret there and have no value here are left out.
    """
    (patch,) = yaml.safe_load(deployed(root, broker, "pubsub.yaml"))
    spec: dict[str, Any] = patch["value"]
    shared = [
        item for item in spec["metadata"] if item["name"] not in own and "secretKeyRef" not in item
    ]
    local = [{"name": name, "value": value} for name, value in own.items()]
    return {**spec, "metadata": [*local, *shared]}


def deployed(root: Path, broker: str, name: str) -> str:
    """Return the text of a file in deploy/components/<broker>."""
    return (root / "deploy" / "components" / broker / name).read_text(encoding="utf-8")
