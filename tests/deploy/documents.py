"""Functions that read rendered manifests."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any

Document = dict[str, Any]
Documents = list[Document]
Check = Callable[[Documents], list[str]]
"""Returns the faults of a set of manifests, one line each; none if all is well."""

NAMESPACE = "orderflow"
LASTING = ("Deployment", "StatefulSet")
"""Workloads that run until they are removed."""
WORKLOADS = (*LASTING, "Job")
ACCESS_FILE = "ORDERFLOW_ACCESS_FILE"


def of_kind(documents: Documents, *kinds: str) -> Documents:
    """Return the documents of these kinds."""
    return [document for document in documents if document["kind"] in kinds]


def named(documents: Documents, kind: str, name: str) -> Document:
    """Return the document with this name."""
    found = [each for each in of_kind(documents, kind) if each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def names_of(documents: Documents, kind: str) -> set[str]:
    """Return the names of all documents of a kind."""
    return {document["metadata"]["name"] for document in of_kind(documents, kind)}


def title(document: Document) -> str:
    """Return a document's kind and name, for messages."""
    return f"{document['kind']} {document['metadata']['name']}"


def workloads(documents: Documents) -> Iterator[tuple[Document, Document]]:
    """Yield each workload and its pod template."""
    for document in of_kind(documents, *WORKLOADS):
        yield document, document["spec"]["template"]


def services(documents: Documents) -> Iterator[tuple[str, Document, Document]]:
    """Yield each pod with a sidecar: application id, pod template and the service's container.

    The checks of pods report a pod whose container has another name.
    """
    for document in of_kind(documents, "Deployment"):
        template = document["spec"]["template"]
        containers = {each["name"]: each for each in template["spec"]["containers"]}
        yield document["metadata"]["name"], template, containers["app"]


def containers(template: Document) -> Documents:
    """Return the containers of a pod, including init containers."""
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def labels(template: Document) -> dict[str, str]:
    """Return a pod's labels."""
    return dict(template["metadata"]["labels"])


def selects(selector: Document, pod: dict[str, str]) -> bool:
    """Return whether a label selector matches a pod with these labels."""
    if any(pod.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(
        (pod.get(rule["key"]) in rule["values"]) == (rule["operator"] == "In")
        for rule in selector.get("matchExpressions", [])
    )


def settings_of(component: Document) -> dict[str, Any]:
    """Return a Dapr component's settings by name; for a secret one, None."""
    return {each["name"]: each.get("value") for each in component["spec"]["metadata"]}


def access_file(container: Document) -> PurePosixPath:
    """Return the path of a service's access file; the root folder if none is set."""
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    return PurePosixPath(given.get(ACCESS_FILE, "/"))


def access_volume(template: Document, container: Document) -> tuple[Document, Document]:
    """Return the mount and the secret that hold a service's access file; empty if there are none.

    A mount of the file alone is returned, too, so that a check can report it.
    """
    file = access_file(container)
    mounts = {PurePosixPath(each["mountPath"]): each for each in container["volumeMounts"]}
    mount = mounts.get(file) or mounts.get(file.parent) or {}
    volumes = {each["name"]: each for each in template["spec"].get("volumes", [])}
    return mount, volumes.get(mount.get("name", ""), {}).get("secret", {})
