"""What the cluster's Dapr is told, and the local run's, where the two must be the same."""

from typing import Any

import yaml

from deploy.documents import Document, named, settings_of
from deploy.rendering import LOCAL, ROOT, render
from orderflow_contracts.names import SERVICES

PLACE = {"redisHost", "redisPassword"}
"""Settings that say where something is, and how to get in: these are each environment's own."""


def local_run(name: str) -> Document:
    """Return a resource of the local run."""
    loaded: Document = yaml.safe_load((ROOT / "components" / f"{name}.yaml").read_text())
    return loaded


def without_place(component: Document) -> dict[str, Any]:
    """Return all settings but those that are each environment's own."""
    return {key: value for key, value in settings_of(component).items() if key not in PLACE}


def test_the_broker_is_used_in_the_same_way() -> None:
    """What was found out about Redis on one machine holds in a cluster."""
    for name in ("pubsub", "workflow-store"):
        cluster = named(render(LOCAL), "Component", name)
        assert without_place(cluster) == without_place(local_run(name))
        assert sorted(cluster["scopes"]) == sorted(local_run(name)["scopes"])
        assert cluster["spec"]["type"] == local_run(name)["spec"]["type"]


def test_events_are_retried_in_the_same_way() -> None:
    """An event has as long as on one machine before it is a dead letter."""
    assert (
        named(render(LOCAL), "Resiliency", "orderflow")["spec"] == local_run("resiliency")["spec"]
    )


def test_workflows_are_remembered_for_as_long() -> None:
    """What finished is kept for the same time, and the metrics are the same."""
    cluster = named(render(LOCAL), "Configuration", "orders")["spec"]
    local = local_run("configuration")["spec"]
    assert {key: cluster[key] for key in ("workflow", "metrics", "tracing")} == {
        key: local[key] for key in ("workflow", "metrics", "tracing")
    }


def test_sidecars_find_each_other_by_kubernetes() -> None:
    """The local run's names are in a file, which no other pod could read."""
    for name in SERVICES:
        assert "nameResolution" not in named(render(LOCAL), "Configuration", name)["spec"]
