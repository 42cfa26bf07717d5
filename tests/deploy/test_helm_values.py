"""The values for Dapr's chart are used by the chart and fit the manifests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.documents import NAMESPACE
from deploy.rendering import DEPLOY
from deploy.schemas import DAPR, DAPR_PINS, go_module
from orderflow_tools.toolchain.dapr import RUNTIME_VERSION

FILES = ("values-local.yaml", "values-production.yaml")
CHART = Path("charts") / "dapr"
FREE = {"resources", "namespaceSelector"}
"""Values that the chart passes on unchanged; its own values do not show their content."""


def load(path: Path) -> dict[str, Any]:
    """Read a file of values."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text())
    return loaded


def known() -> dict[str, Any]:
    """Return the chart's own values, including those of its subcharts."""
    chart = go_module(DAPR_PINS, DAPR) / CHART
    parts = {part.name: load(part / "values.yaml") for part in (chart / "charts").iterdir()}
    # Its templates read this one too, though no file of values names it.
    parts["dapr_scheduler"]["overrideBroadcastHostPort"] = ""
    return {**load(chart / "values.yaml"), **parts}


def unknown(values: dict[str, Any], chart: dict[str, Any], way: str = "") -> Iterator[str]:
    """Yield the values that the chart does not have."""
    for key, value in values.items():
        if key not in chart:
            yield f"{way}{key}"
        elif isinstance(value, dict) and key not in FREE:
            yield from unknown(value, chart[key] or {}, f"{way}{key}.")


@pytest.mark.parametrize("name", FILES)
def test_the_chart_reads_every_value(name: str) -> None:
    """Helm silently ignores a value that no template reads."""
    assert list(unknown(load(DEPLOY / "dapr" / name), known())) == []


def test_a_misspelt_value_is_found() -> None:
    """A misspelt name is found at any depth."""
    values = load(DEPLOY / "dapr" / FILES[0])
    values["global"]["mtls"]["enable"] = values["dapr_sentri"] = True
    assert list(unknown(values, known())) == ["global.mtls.enable", "dapr_sentri"]


@pytest.mark.parametrize("name", FILES)
def test_the_control_plane_meets_the_manifests_needs(name: str) -> None:
    """Sidecars meet the namespace's standard, and callers have identities."""
    values = load(DEPLOY / "dapr" / name)
    injector = values["dapr_sidecar_injector"]
    assert values["global"]["tag"] == RUNTIME_VERSION
    assert values["global"]["mtls"]["enabled"]
    assert injector["sidecarDropALLCapabilities"]
    assert injector["webhookFailurePolicy"] == "Fail"
    assert NAMESPACE in str(injector["namespaceSelector"])
    assert not values["dapr_scheduler"]["cluster"].get("inMemoryStorage")
    assert values["dapr_scheduler"]["overrideBroadcastHostPort"].startswith("$(SCHEDULER_ID).")
