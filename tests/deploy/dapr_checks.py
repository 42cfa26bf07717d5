"""Checks that Dapr's configuration fits the code, the pods and itself."""

import re
from functools import cache
from typing import Final

import yaml

from deploy.documents import (
    NAMESPACE,
    Document,
    Documents,
    named,
    names_of,
    of_kind,
    services,
    settings_of,
    title,
)
from deploy.rendering import ROOT
from deploy.schemas import DAPR, DAPR_PINS, go_module
from orderflow_contracts import names

SCOPES: Final = {
    component: {app for app, each in names.SERVICES.items() if component in each.components}
    for service in names.SERVICES.values()
    for component in service.components
} | {names.SIDECAR_RULES: set(names.SERVICES)}
"""The services whose sidecars load a component, by its name."""
FOREVER: Final = -1
"""The number that means unlimited retries."""


def annotations(documents: Documents) -> list[str]:
    """Report annotations that the injector would misunderstand or silently ignore."""
    findings = []
    local = yaml.safe_load((ROOT / "dapr.yaml").read_text())["common"]
    for app_id, template, container in services(documents):
        found = template["metadata"].get("annotations", {})
        token = {each["name"]: each for each in container["env"]}.get("APP_API_TOKEN", {})
        expected = {
            "enabled": "true",
            "app-id": app_id,
            "app-port": str(names.SERVICES[app_id].ports.grpc),
            "app-protocol": local["appProtocol"],
            "app-token-secret": token.get("valueFrom", {}).get("secretKeyRef", {}).get("name"),
            "enable-app-health-check": str(local["enableAppHealthCheck"]).lower(),
            "app-health-probe-interval": str(local["appHealthProbeInterval"]),
            "app-health-probe-timeout": str(local["appHealthProbeTimeout"]),
            "app-health-threshold": str(local["appHealthThreshold"]),
            "sidecar-listen-addresses": local["apiListenAddresses"],
            "sidecar-seccomp-profile-type": "RuntimeDefault",
            "disable-builtin-k8s-secret-store": "true",
        }
        for name, value in expected.items():
            if found.get(f"dapr.io/{name}") != value:
                findings.append(f"{app_id}: dapr.io/{name} is not {value}")
        unknown = {name for name in found if name.startswith("dapr.io/")} - known_annotations()
        findings += [f"{app_id}: Dapr knows no {name}" for name in sorted(unknown)]
        configuration = found.get("dapr.io/config")
        if configuration not in names_of(documents, "Configuration"):
            findings.append(f"{app_id}: no Configuration {configuration}")
        elif not _keeps_rules(named(documents, "Configuration", configuration)):
            findings.append(f"{app_id}: its sidecar refuses nothing")
    return findings


def _keeps_rules(configuration: Document) -> bool:
    handlers = configuration["spec"].get("httpPipeline", {}).get("handlers", [])
    return any(each["name"] == names.SIDECAR_RULES for each in handlers)


@cache
def known_annotations() -> frozenset[str]:
    """Return all annotations that this version of Dapr reads."""
    source = go_module(DAPR_PINS, DAPR) / "pkg" / "injector" / "annotations" / "annotations.go"
    return frozenset(re.findall(r'"(dapr\.io/[a-z0-9-]+)"', source.read_text()))


def components(documents: Documents) -> list[str]:
    """Report components that the code does not use or may not use, or that hold a password."""
    findings = []
    found = {each["metadata"]["name"]: each for each in of_kind(documents, "Component")}
    findings += [f"no component {name}" for name in sorted(SCOPES.keys() - found.keys())]
    for name, component in found.items():
        if set(component.get("scopes", [])) != SCOPES.get(name):
            findings.append(f"{name}: its scopes are {component.get('scopes')}")
        for setting in component["spec"]["metadata"]:
            is_secret = re.search(r"(?i)password|connectionstring", setting["name"])
            if is_secret and "secretKeyRef" not in setting:
                findings.append(f"{name}: {setting['name']} is no secret")
            if setting["name"] not in known_settings(component):
                findings.append(f"{name}: {component['spec']['type']} reads no {setting['name']}")
    engines = [n for n, each in found.items() if settings_of(each).get("actorStateStore") == "true"]
    if engines != [names.WORKFLOW_STORE]:
        findings.append(f"the workflows' state is kept in {engines}")
    ledger = found.get(names.INVENTORY_STORE, {}).get("spec", {})
    if (ledger.get("type"), ledger.get("version")) != ("state.postgresql", "v2"):
        findings.append("the stock ledger's store writes transactions by halves")
    return findings


def known_settings(component: Document) -> frozenset[str]:
    """Return all settings that a component reads; none if Dapr has no such component."""
    return _known_settings(component["spec"]["type"], component["spec"]["version"])


@cache
def _known_settings(kind: str, version: str) -> frozenset[str]:
    pins = (DAPR_PINS / "go.mod").read_text()
    contrib = re.search(r"github\.com/dapr/components-contrib (v\S+)", pins)
    assert contrib, "the toolchain pins no components"
    module = go_module(DAPR_PINS, f"github.com/dapr/components-contrib@{contrib[1]}")
    folder, _, name = kind.partition(".")
    place = module / folder / name.replace(".", "/")
    paths = (place / version, place)
    path = next((each / "metadata.yaml" for each in paths if each.is_dir()), None)
    if path is None or not path.exists():
        return frozenset()
    described = yaml.safe_load(path.read_text())
    profiles = described.get("authenticationProfiles", []) + described.get(
        "builtinAuthenticationProfiles", []
    )
    lists = [described.get("metadata", []), *(each.get("metadata", []) for each in profiles)]
    own = {"actorStateStore"} if folder == "state" else set()
    return frozenset({entry["name"] for entries in lists for entry in entries} | own)


def resiliency(documents: Documents) -> list[str]:
    """Report missing policies and targets, and policies that give up: Dapr would not complain."""
    findings = []
    for each in of_kind(documents, "Resiliency"):
        retries = each["spec"]["policies"].get("retries", {})
        for name, policy in retries.items():
            if policy.get("maxRetries") != FOREVER or policy["policy"] != "constant":
                findings.append(f"{title(each)}: {name} gives up in a long outage")
        for name, target in each["spec"]["targets"].get("components", {}).items():
            if name not in names_of(documents, "Component"):
                findings.append(f"{title(each)}: no component {name}")
            used = [way.get("retry") for way in target.values()]
            findings += [f"{title(each)}: no policy {name}" for name in used if name not in retries]
        if not SCOPES[names.PUBSUB] <= set(each.get("scopes", names.SERVICES)):
            findings.append(f"{title(each)}: its scopes are {each.get('scopes')}")
    targets = [
        each["spec"]["targets"]["components"].get(names.PUBSUB, {}).get("inbound")
        for each in of_kind(documents, "Resiliency")
    ]
    if not any(targets):
        findings.append("an event that fails for the moment becomes a dead letter at once")
    return findings


def access(documents: Documents) -> list[str]:
    """Report callers that may call what the code refuses, or may not call what they need."""
    findings = []
    domains = {}
    for app_id, template, _ in services(documents):
        name = template["metadata"]["annotations"]["dapr.io/config"]
        if name in names_of(documents, "Configuration"):
            spec = named(documents, "Configuration", name)["spec"]
            domains[app_id] = spec.get("accessControl", {})
    for app_id, control in domains.items():
        if control.get("defaultAction") != "deny":
            findings.append(f"{app_id}: anyone may call it")
        for policy in control.get("policies", []):
            caller = policy["appId"]
            if caller not in domains or policy.get("namespace") != NAMESPACE:
                findings.append(f"{app_id}: no caller {policy.get('namespace')}/{caller}")
            elif policy.get("trustDomain") != domains[caller].get("trustDomain"):
                findings.append(f"{app_id}: {caller} is of another trust domain")
            if policy.get("defaultAction") != "deny":
                findings.append(f"{app_id}: {caller} may call anything")
        findings += [f"{app_id}: {wrong}" for wrong in _methods(app_id, control)]
    return findings


def _methods(app_id: str, control: Document) -> list[str]:
    """Compare the access list of a service with its declaration."""
    allowed = {
        (policy["appId"], operation["name"].removeprefix("/"))
        for policy in control.get("policies", [])
        for operation in policy.get("operations", [])
        if operation["action"] == "allow"
    }
    declared = names.SERVICES[app_id].methods
    findings = [f"offers no {method}" for _, method in sorted(allowed) if method not in declared]
    for name, wanted in declared.items():
        callers = {caller for caller, allowed_method in allowed if allowed_method == name}
        if callers != wanted:
            findings.append(f"{name} may be called by {sorted(callers)}")
    return findings


def workflows(documents: Documents) -> list[str]:
    """Report applications besides orders that could start or change its workflows."""
    found = of_kind(documents, "WorkflowAccessPolicy")
    scopes = {app_id for each in found for app_id in each.get("scopes", [])}
    callers = {
        caller["appID"]
        for each in found
        for rule in each["spec"]["rules"]
        for caller in rule["callers"]
    }
    if scopes == callers == SCOPES[names.WORKFLOW_STORE]:
        return []
    return [f"workflows of {sorted(scopes)} are open to {sorted(callers)}"]


def backlog(documents: Documents) -> list[str]:
    """Report autoscalers that measure a queue that does not exist or is on another broker."""
    kinds = {
        "pubsub.redis": "redis-streams",
        "pubsub.kafka": "kafka",
        "pubsub.rabbitmq": "rabbitmq",
    }
    findings = []
    for each in of_kind(documents, "ScaledObject"):
        app_id = each["spec"]["scaleTargetRef"]["name"]
        queues = {(app_id, topic) for topic in names.SERVICES[app_id].scales_on}
        broker = named(documents, "Component", names.PUBSUB)["spec"]["type"]
        triggers = [t for t in each["spec"]["triggers"] if t["type"] != "cpu"]
        unmeasured = queues - {_queue(trigger) for trigger in triggers}
        findings += [f"{title(each)}: does not scale on {topic}" for _, topic in unmeasured]
        for trigger in triggers:
            if trigger["type"] != kinds[broker]:
                findings.append(f"{title(each)}: {trigger['type']} for {broker}")
            if _queue(trigger) not in queues:
                findings.append(f"{title(each)}: no queue {_queue(trigger)}")
            reference = trigger["authenticationRef"]["name"]
            if reference not in names_of(documents, "TriggerAuthentication"):
                findings.append(f"{title(each)}: no authentication {reference}")
    return findings


def _queue(trigger: Document) -> tuple[str, str]:
    """Return the consumer and the topic whose backlog a trigger measures."""
    metadata = trigger["metadata"]
    if trigger["type"] == "rabbitmq":
        app_id, _, topic = metadata["queueName"].partition("-")
        return app_id, topic
    return metadata["consumerGroup"], metadata.get("stream") or metadata["topic"]
