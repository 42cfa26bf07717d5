"""Dapr settings that must be the same in the cluster and in the local run."""

from typing import Any

import yaml

from deploy.documents import Document, named, settings_of
from deploy.rendering import LOCAL, ROOT, render
from orderflow_contracts.names import SERVICES

PLACE = {"redisHost", "redisPassword"}
"""Settings of addresses and credentials, which differ by environment."""


def local_run(name: str) -> Document:
    """Return a resource of the local run."""
    loaded: Document = yaml.safe_load((ROOT / "components" / f"{name}.yaml").read_text())
    return loaded


def without_place(component: Document) -> dict[str, Any]:
    """Return all settings except those that differ by environment."""
    return {key: value for key, value in settings_of(component).items() if key not in PLACE}


def test_the_broker_has_the_same_settings() -> None:
    """What was measured with Redis locally holds in a cluster."""
    for name in ("pubsub", "workflow-store"):
        cluster = named(render(LOCAL), "Component", name)
        assert without_place(cluster) == without_place(local_run(name))
        assert sorted(cluster["scopes"]) == sorted(local_run(name)["scopes"])
        assert cluster["spec"]["type"] == local_run(name)["spec"]["type"]


def test_events_have_the_same_retry_policy() -> None:
    """An event becomes a dead letter after the same time as locally."""
    assert (
        named(render(LOCAL), "Resiliency", "orderflow")["spec"] == local_run("resiliency")["spec"]
    )


def test_workflows_have_the_same_retention() -> None:
    """Finished workflows are kept for the same time, with the same metrics."""
    cluster = named(render(LOCAL), "Configuration", "orders")["spec"]
    local = local_run("configuration")["spec"]
    assert {key: cluster[key] for key in ("workflow", "metrics", "tracing")} == {
        key: local[key] for key in ("workflow", "metrics", "tracing")
    }


def test_sidecars_use_kubernetes_name_resolution() -> None:
    """The local run's name file could not be read by another pod."""
    for name in SERVICES:
        assert "nameResolution" not in named(render(LOCAL), "Configuration", name)["spec"]
