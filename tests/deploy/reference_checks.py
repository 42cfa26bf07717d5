"""Checks that documents refer to things that exist."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.documents import (
    NAMESPACE,
    Document,
    Documents,
    access_file,
    access_volume,
    containers,
    labels,
    names_of,
    of_kind,
    selects,
    services,
    title,
    workloads,
)
from deploy.rendering import DEPLOY
from orderflow_contracts.names import SERVICES

README: Final = DEPLOY / "README.md"
CLUSTER_WIDE: Final = ("Namespace",)
PASSWORDS: Final = "passwords"
"""The volume with a password for the database of each service that has one."""


def namespaces(documents: Documents) -> list[str]:
    """Report resources outside the namespace, which enforces its standard."""
    findings = [
        f"{title(each)} is not in {NAMESPACE}"
        for each in documents
        if each["kind"] not in CLUSTER_WIDE and each["metadata"].get("namespace") != NAMESPACE
    ]
    for each in of_kind(documents, "Namespace"):
        found = each["metadata"].get("labels", {})
        if found.get("pod-security.kubernetes.io/enforce") != "restricted":
            findings.append(f"{title(each)} admits pods that are not restricted")
    return findings


def accounts_and_volumes(documents: Documents) -> list[str]:
    """Report pods that need an account or a volume that does not exist."""
    findings = []
    accounts, maps = names_of(documents, "ServiceAccount"), names_of(documents, "ConfigMap")
    for workload, template in workloads(documents):
        spec = template["spec"]
        if spec.get("serviceAccountName") not in accounts:
            findings.append(f"{title(workload)}: no account {spec.get('serviceAccountName')}")
        volumes = {each["name"]: each for each in spec.get("volumes", [])}
        claims = workload["spec"].get("volumeClaimTemplates", [])
        known = {*volumes, *(each["metadata"]["name"] for each in claims)}
        wanted = {each["configMap"]["name"] for each in volumes.values() if "configMap" in each}
        findings += [f"{title(workload)}: no config map {name}" for name in wanted - maps]
        for container in containers(template):
            mounted = {each["name"] for each in container.get("volumeMounts", [])}
            findings += [f"{title(workload)}: no volume {name}" for name in mounted - known]
    return findings


def service_targets(documents: Documents) -> list[str]:
    """Report Services that select no pod, or a port where nothing listens."""
    findings = []
    for service in of_kind(documents, "Service"):
        chosen = [
            template
            for _, template in workloads(documents)
            if selects({"matchLabels": service["spec"]["selector"]}, labels(template))
        ]
        if len(chosen) != 1:
            findings.append(f"{title(service)} selects {len(chosen)} workloads")
        for template in chosen:
            ports = {p["name"]: p for c in containers(template) for p in c.get("ports", [])}
            for port in service["spec"]["ports"]:
                target = ports.get(port["targetPort"])
                if target is None or target["containerPort"] != port["port"]:
                    findings.append(f"{title(service)}: port {port['port']} leads nowhere")
    for app_id, _, container in services(documents):
        if [each["containerPort"] for each in container["ports"]] != [SERVICES[app_id].ports.http]:
            findings.append(f"{app_id}: its ports are not those that it listens on")
    return findings


def budgets(documents: Documents) -> list[str]:
    """Report budgets that protect nothing, forbid every drain, or are missing."""
    findings, covered = [], set()
    for budget in of_kind(documents, "PodDisruptionBudget"):
        chosen = [
            workload["metadata"]["name"]
            for workload, template in workloads(documents)
            if selects(budget["spec"]["selector"], labels(template))
        ]
        covered |= set(chosen)
        if len(chosen) != 1:
            findings.append(f"{title(budget)} covers {chosen}")
        if budget["spec"].get("maxUnavailable") != 1:
            findings.append(f"{title(budget)} may forbid a drain")
    missing = names_of(documents, "Deployment") - covered
    return [*findings, *(f"{name} has no budget" for name in missing)]


def scaling(documents: Documents) -> list[str]:
    """Report autoscalers that are missing, scale nothing, or share a target with another."""
    findings, scaled = [], set()
    scalers = of_kind(documents, "HorizontalPodAutoscaler", "ScaledObject")
    deployments = {each["metadata"]["name"]: each for each in of_kind(documents, "Deployment")}
    for each in scalers:
        target = each["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            findings.append(f"{title(each)}: no deployment {target}")
            continue
        if "replicas" in deployments[target]["spec"]:
            findings.append(f"{target} has a fixed number of replicas")
        if target in scaled:
            findings.append(f"{target} is scaled twice")
        scaled.add(target)
        names = {c["name"] for c in containers(deployments[target]["spec"]["template"])}
        findings += [
            f"{title(each)}: no container {name}" for name in _measured(each) if name not in names
        ]
    if scalers:
        findings += [f"{name} is not scaled" for name in sorted(SERVICES.keys() - scaled)]
    return findings


def _measured(scaler: Document) -> Iterator[str]:
    """Yield the containers whose CPU an autoscaler measures."""
    for metric in scaler["spec"].get("metrics", []):
        yield metric["containerResource"]["container"]
    for trigger in scaler["spec"].get("triggers", []):
        if trigger["type"] == "cpu":
            yield trigger["metadata"]["containerName"]


def secrets_used(documents: Documents) -> set[tuple[str, str]]:
    """Return all secrets that are referred to, by name and key."""
    found = set(_secrets(documents))
    for _, template, container in services(documents):
        _, access = access_volume(template, container)
        found.add((str(access.get("secretName")), access_file(container).name))
        token = template["metadata"]["annotations"].get("dapr.io/app-token-secret")
        found.add((str(token), "token"))
    for _, template in workloads(documents):
        for volume in template["spec"].get("volumes", []):
            if volume["name"] == PASSWORDS:
                secret = volume["secret"]["secretName"]
                found |= {(secret, f"{app_id}-password") for app_id in with_database(documents)}
    return found


def with_database(documents: Documents) -> set[str]:
    """Return the services that need a database, for tables or for their own state store."""
    stores = {
        each["metadata"]["name"]
        for each in of_kind(documents, "Component")
        if each["spec"]["type"] == "state.postgresql"
    }
    return {
        app_id
        for app_id, service in SERVICES.items()
        if service.has_tables or stores & service.components
    }


def _secrets(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for each in value:
            if key == "secretTargetRef":
                yield each["name"], each["key"]
            yield from _secrets(each)
    elif isinstance(value, dict):
        if key == "secretKeyRef":
            yield value["name"], value["key"]
        for name, each in value.items():
            yield from _secrets(each, name)


def secrets_documented(broker: str, readme: Path = README) -> set[tuple[str, str]]:
    """Return the secrets that deploy/README.md lists for an environment with this broker."""
    needed_by = {"local"} if broker == "local" else {"production", broker}
    found = set()
    for line in readme.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("`") and needed_by & set(cells[3].split(", ")):
            found.add((cells[0].strip("`"), cells[1].strip("`")))
    return found
