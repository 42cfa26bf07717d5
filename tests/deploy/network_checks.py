"""Checks that the network policies allow what is needed, and nothing else."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from deploy.documents import (
    Document,
    Documents,
    labels,
    named,
    names_of,
    of_kind,
    selects,
    services,
    settings_of,
    title,
    workloads,
)
from deploy.reference_checks import with_database
from orderflow_contracts import names

CLIENT: Final = {"orderflow-client": "true"}
"""The label of pods outside Orderflow that may reach the HTTP ports for people."""

INTERNAL_PORT: Final = 50002
CALLS: Final = {
    (caller, app_id)
    for app_id, service in names.SERVICES.items()
    for callers in (
        *service.methods.values(),
        {app_id} if names.WORKFLOW_STORE in service.components else (),
    )
    for caller in callers
}
"""Which sidecar calls which; the sidecars of a service with workflows call each other."""

BROKER_PORTS: Final = {"pubsub.redis": 6380, "pubsub.kafka": 9093, "pubsub.rabbitmq": 5671}
"""The TLS port of a broker outside the cluster."""
REDIS_PORT: Final = 6379
POSTGRES_PORT: Final = 5432
OTHER_BROKER_PORTS: Final = {REDIS_PORT, 9092, 9094, 5672}
STORE_PORTS: Final = {POSTGRES_PORT, *BROKER_PORTS.values(), *OTHER_BROKER_PORTS}

OUTSIDE: Final[Mapping[int, set[str]]] = {}
"""The services that need other ports outside the cluster, such as that of a payment provider."""


def selectors(documents: Documents) -> list[str]:
    """Report policies for pods or ports that do not exist."""
    findings = []
    pods = [labels(template) for _, template in workloads(documents)]
    for policy in of_kind(documents, "NetworkPolicy"):
        own = [pod for pod in pods if selects(policy["spec"]["podSelector"], pod)]
        if not own:
            findings.append(f"{title(policy)} is about no pod")
        peers = [
            peer["podSelector"]
            for peer in _peers(policy)
            if peer.get("podSelector") and "namespaceSelector" not in peer
        ]
        if not all(any(selects(peer, pod) for pod in [*pods, CLIENT]) for peer in peers):
            findings.append(f"{title(policy)} lets no pod through")
        findings += [
            f"{title(policy)} names {key}={value}, which no pod has"
            for selector in (policy["spec"]["podSelector"], *peers)
            for key, value in _labels_named(selector)
            if not any(pod.get(key) == value for pod in [*pods, CLIENT])
        ]
    if not any(_denies_all(policy) for policy in of_kind(documents, "NetworkPolicy")):
        findings.append("what no policy is about is let through")
    return findings


def _labels_named(selector: Document) -> Iterator[tuple[str, str]]:
    yield from selector.get("matchLabels", {}).items()
    for rule in selector.get("matchExpressions", []):
        yield from ((rule["key"], value) for value in rule.get("values", []))


def _peers(policy: Document) -> Iterator[Document]:
    for way, side in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(way, []):
            yield from rule.get(side, [])


def _denies_all(policy: Document) -> bool:
    spec = policy["spec"]
    is_for_all = not spec["podSelector"] and set(spec["policyTypes"]) == {"Ingress", "Egress"}
    return is_for_all and not spec.get("ingress") and not spec.get("egress")


def connections(documents: Documents) -> list[str]:
    """Report needed connections that are blocked, and open ones that nobody needs."""
    findings = []
    pods = {each["metadata"]["name"]: template for each, template in workloads(documents)}
    for caller, called in sorted(CALLS):
        if not _open(documents, pods[caller], pods[called], INTERNAL_PORT):
            findings.append(f"the sidecar of {caller} does not reach that of {called}")
    for app_id, host, port in _stores(documents):
        if not _open(documents, pods[app_id], pods[host], port):
            findings.append(f"{app_id} does not reach {host}")
    for app_id, template, container in services(documents):
        people = container["ports"][0]["containerPort"]
        if not _lets_in(documents, CLIENT, template, people):
            findings.append(f"people do not reach {app_id}")
        findings += [
            f"{other} reaches the HTTP of {app_id} beside its sidecar"
            for other, source in pods.items()
            if _open(documents, source, template, people)
        ]
    return [*findings, *_stores_outside(documents, pods), *_others_outside(documents, pods)]


def _stores_outside(documents: Documents, pods: dict[str, Document]) -> Iterator[str]:
    """Report services that cannot reach their store, or reach the broker without using it."""
    broker = BROKER_PORTS[named(documents, "Component", names.PUBSUB)["spec"]["type"]]
    for app_id, service in names.SERVICES.items():
        uses_broker = names.PUBSUB in service.components
        reaches_broker = (
            _open(documents, pods[app_id], pods["redis"], REDIS_PORT)
            if "redis" in pods
            else _leaves(documents, pods[app_id], broker)
        )
        if reaches_broker and not uses_broker:
            yield f"{app_id} reaches the broker, which it does not use"
        if uses_broker and not reaches_broker:
            yield f"{app_id} does not reach the broker"
        needs_postgres = app_id in with_database(documents) and "postgres" not in pods
        if needs_postgres and not _leaves(documents, pods[app_id], POSTGRES_PORT):
            yield f"{app_id} does not reach PostgreSQL"


def _others_outside(documents: Documents, pods: dict[str, Document]) -> Iterator[str]:
    """Report pods that reach what they are not known to need."""
    for name, source in pods.items():
        for port in sorted(_ports_outside(documents, source) - STORE_PORTS):
            if name not in OUTSIDE.get(port, ()):
                yield f"{name} reaches port {port} outside, which it is not known to need"


def _leaves(documents: Documents, source: Document, port: int) -> bool:
    """Return whether a pod can reach this port of an address outside the cluster."""
    return port in _ports_outside(documents, source)


def _ports_outside(documents: Documents, source: Document) -> set[int]:
    return {
        each["port"]
        for rule in _rules(documents, "egress", labels(source))
        if any("ipBlock" in peer for peer in rule.get("to", []))
        for each in rule["ports"]
    }


def _stores(documents: Documents) -> Iterator[tuple[str, str, int]]:
    """Yield each service that needs a store in the cluster, and the port."""
    inside = names_of(documents, "Service")
    for component in of_kind(documents, "Component"):
        host, _, port = str(settings_of(component).get("redisHost")).partition(":")
        if host in inside:
            yield from ((app_id, host, int(port)) for app_id in component["scopes"])
    if "postgres" in inside:
        port = named(documents, "Service", "postgres")["spec"]["ports"][0]["port"]
        yield from ((app_id, "postgres", port) for app_id in with_database(documents))
        yield from ((job, "postgres", port) for job in sorted(names_of(documents, "Job")))


def _open(documents: Documents, source: Document, target: Document, port: int) -> bool:
    return _lets_out(documents, source, target, port) and _lets_in(
        documents, labels(source), target, port
    )


def _lets_out(documents: Documents, source: Document, target: Document, port: int) -> bool:
    return any(
        _matches(rule.get("to", []), labels(target)) and _has(rule, target, port)
        for rule in _rules(documents, "egress", labels(source))
    )


def _lets_in(documents: Documents, source: dict[str, str], target: Document, port: int) -> bool:
    return any(
        _matches(rule.get("from", []), source) and _has(rule, target, port)
        for rule in _rules(documents, "ingress", labels(target))
    )


def _rules(documents: Documents, way: str, pod: dict[str, str]) -> Iterator[Document]:
    for policy in of_kind(documents, "NetworkPolicy"):
        if selects(policy["spec"]["podSelector"], pod):
            yield from policy["spec"].get(way, [])


def _matches(peers: Documents, pod: dict[str, str]) -> bool:
    return any(
        "podSelector" in peer
        and "namespaceSelector" not in peer
        and selects(peer["podSelector"], pod)
        for peer in peers
    )


def _has(rule: Document, target: Document, port: int) -> bool:
    """Return whether a rule covers a port of the called pod, by number or by name."""
    ports: dict[Any, int] = {
        each["name"]: each["containerPort"]
        for container in target["spec"]["containers"]
        for each in container.get("ports", [])
    }
    return any(ports.get(each["port"], each["port"]) == port for each in rule["ports"])
