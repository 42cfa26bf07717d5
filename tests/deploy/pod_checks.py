"""Checks of every container: restricted Pod Security Standard, and reliable operation."""

from typing import Final

import service_code
from deploy.documents import (
    LASTING,
    Document,
    Documents,
    access_volume,
    containers,
    names_of,
    services,
    title,
    workloads,
)
from orderflow_contracts.names import SERVICES

NO_IDENTITY: Final = "mounts a token for Kubernetes"
PROBES: Final = {
    "startupProbe": "/healthz",
    "livenessProbe": "/healthz",
    "readinessProbe": "/readyz",
}
"""The probes of every container, and their paths for the services."""


def deployments(documents: Documents) -> list[str]:
    """Report services that are not deployed, and deployments that nobody declared."""
    found = names_of(documents, "Deployment")
    missing, unknown = SERVICES.keys() - found, found - SERVICES.keys()
    return [
        *(f"{name} is not deployed" for name in sorted(missing)),
        *(f"{name} is not declared" for name in sorted(unknown)),
    ]


def hardening(documents: Documents) -> list[str]:
    """Report containers with rights that they do not need."""
    findings = []
    for workload, template in workloads(documents):
        spec = template["spec"]
        if spec.get("automountServiceAccountToken") is not False:
            findings.append(f"{title(workload)} {NO_IDENTITY}")
        for container in containers(template):
            where = f"{title(workload)}, {container['name']}"
            findings += [f"{where}: {wrong}" for wrong in _risks(spec, container)]
    return findings


def _risks(spec: Document, container: Document) -> list[str]:
    pod = spec.get("securityContext", {})
    own = container.get("securityContext", {})
    both = {**pod, **own}
    return [
        wrong
        for wrong, is_so in {
            "may run as root": both.get("runAsNonRoot") is not True,
            "has no fixed user": not both.get("runAsUser"),
            "has no seccomp profile": both.get("seccompProfile") != {"type": "RuntimeDefault"},
            "writes to its root": own.get("readOnlyRootFilesystem") is not True,
            "may gain privileges": own.get("allowPrivilegeEscalation") is not False,
            "keeps capabilities": own.get("capabilities") != {"drop": ["ALL"]},
            "is privileged": bool(own.get("privileged")),
        }.items()
        if is_so
    ]


def resources(documents: Documents) -> list[str]:
    """Report containers, including sidecars, without resource requests or limits."""
    findings = []
    for workload, template in workloads(documents):
        for container in containers(template):
            found = container.get("resources", {})
            asked, limits = found.get("requests", {}), found.get("limits", {})
            if not {"cpu", "memory"} <= asked.keys() or "memory" not in limits:
                findings.append(f"{title(workload)}, {container['name']}: asks for no resources")
    for app_id, template, _ in services(documents):
        annotations = template["metadata"].get("annotations", {})
        findings += [
            f"{app_id}: its sidecar has no {name}"
            for name in ("cpu-request", "memory-request", "memory-limit")
            if f"dapr.io/sidecar-{name}" not in annotations
        ]
    return findings


def images(documents: Documents) -> list[str]:
    """Report images that are not pinned, or not those of the service."""
    findings = []
    for workload, template in workloads(documents):
        for container in containers(template):
            name, _, tag = container["image"].rpartition(":")
            if not name or tag == "latest":
                findings.append(f"{title(workload)}: {container['image']} names no version")
    for app_id, _, container in services(documents):
        if container["image"].rpartition(":")[0] != f"orderflow/{app_id}":
            findings.append(f"{app_id}: runs {container['image']}")
    return findings


def probes(documents: Documents) -> list[str]:
    """Report containers with missing or wrong probes."""
    findings = []
    for workload, template in workloads(documents):
        if workload["kind"] not in LASTING:
            continue
        for container in template["spec"]["containers"]:
            findings += [
                f"{title(workload)}, {container['name']}: has no {name}"
                for name in PROBES
                if name not in container
            ]
    for app_id, _, container in services(documents):
        for name, path in PROBES.items():
            asked = container.get(name, {}).get("httpGet", {})
            if asked.get("path") != path or path not in service_code.health_paths():
                findings.append(f"{app_id}: {name} asks for {asked.get('path')}")
            if asked.get("port") not in {port["name"] for port in container["ports"]}:
                findings.append(f"{app_id}: {name} asks at the port {asked.get('port')}")
    return findings


def stopping(documents: Documents) -> list[str]:
    """Report pods whose grace period is too short to finish running work."""
    findings = []
    for app_id, template, container in services(documents):
        annotations = template["metadata"]["annotations"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        block = int(annotations["dapr.io/block-shutdown-duration"].removesuffix("s"))
        graceful = int(annotations["dapr.io/graceful-shutdown-seconds"])
        if block < pause + service_code.STOP_SECONDS:
            findings.append(f"{app_id}: its sidecar leaves before the work is done")
        if template["spec"]["terminationGracePeriodSeconds"] < block + graceful:
            findings.append(f"{app_id}: is killed before its sidecar has stopped")
    return findings


def environment(documents: Documents) -> list[str]:
    """Report variables that no service reads, and required ones that are missing."""
    findings = []
    for app_id, _, container in services(documents):
        known, given = (
            service_code.variables(app_id),
            {each["name"]: each for each in container["env"]},
        )
        prefix = f"{app_id.upper()}_"
        findings += [f"{app_id}: nothing reads {name}" for name in sorted(given.keys() - known)]
        findings += [
            f"{app_id}: {name} is Dapr's" for name in sorted(given.keys() & service_code.INJECTED)
        ]
        secret = {"APP_API_TOKEN"} | (known & {f"{prefix}DATABASE_URL"})
        needed = {*secret, f"{prefix}HTTP_HOST"}
        findings += [f"{app_id}: {name} is missing" for name in sorted(needed - given.keys())]
        if given.get(f"{prefix}HTTP_HOST", {}).get("value") != "0.0.0.0":  # noqa: S104 # as meant
            findings.append(f"{app_id}: nobody outside the pod reaches it")
        for name in secret & given.keys():
            if "secretKeyRef" not in given[name].get("valueFrom", {}):
                findings.append(f"{app_id}: {name} is no secret")
    return findings


def people(documents: Documents) -> list[str]:
    """Report services that could not read the access file, or would not see its changes."""
    findings = []
    for app_id, template, container in services(documents):
        mount, secret = access_volume(template, container)
        pod, own = template["spec"]["securityContext"], container["securityContext"]
        mode = secret.get("defaultMode", 0o644)
        findings += [
            f"{app_id}: {wrong}"
            for wrong, is_so in {
                "its access file is from no secret": not secret.get("secretName"),
                "may change who may come in": mount.get("readOnly") is not True,
                "never learns of a change": "subPath" in mount,
                "cannot read its access file": not mode & 0o040
                or pod.get("fsGroup") != own.get("runAsGroup"),
                "lets everybody read its access file": bool(mode & 0o007),
            }.items()
            if is_so
        ]
    return findings
