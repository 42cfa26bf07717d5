"""What a cluster needs besides its own processes: DNS for services, and persistent volumes."""

from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from orderflow_lab.cluster.images import COREDNS_IMAGE
from orderflow_lab.cluster.layout import Layout
from orderflow_lab.cluster.network import Network
from orderflow_lab.cluster.worker import NODE_NAME

STORAGE_CLASS: Final = "orderflow-local"
VOLUMES: Final = 10
"""Dapr's control plane uses three, the local overlay one for each of its stores."""
VOLUME_SIZE: Final = "16Gi"
"""The most that a claim can request; the folder behind it only grows as it is filled."""


def manifests(layout: Layout, network: Network) -> str:
    """Return the manifests of DNS and volumes."""
    text = (Path(__file__).parent / "manifests" / "coredns.yaml").read_text(encoding="utf-8")
    coredns = Template(text).substitute(image=COREDNS_IMAGE, dns=network.dns)
    return f"{coredns}---\n{yaml.safe_dump_all(storage(layout))}"


def storage(layout: Layout) -> list[dict[str, Any]]:
    """Return a default storage class and its volumes, each a folder of the cluster."""
    documents: list[dict[str, Any]] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    ]
    for number in range(VOLUMES):
        folder = layout.volumes / f"volume-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        documents.append(_volume(folder.name, str(layout.seen(folder))))
    return documents


def _volume(name: str, path: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
