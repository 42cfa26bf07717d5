"""Each kind of mistake is made once, and must be found by a check."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from deploy.checks import CHECKS
from deploy.documents import Document, Documents, named
from deploy.reference_checks import secrets_documented, secrets_used
from deploy.rendering import LOCAL, PRODUCTION, VARIANTS, WITH_KEDA, Variant, render

POLICY = "spec/policies/retries/until-it-works"


class Mistake(NamedTuple):
    """A harmful change, the check that must find it, and words of the finding."""

    check: str
    make: Callable[[Documents], object]
    says: str
    variant: Variant = LOCAL


def put(kind: str, name: str, path: str, value: object) -> Callable[[Documents], object]:
    """Set a field; in a list, the path has the index or the name of the item."""

    def make(documents: Documents) -> None:
        *way, last = path.split("/")
        place = _at(named(documents, kind, name), way)
        place[_step(place, last)] = value

    return make


def drop(kind: str, name: str, path: str) -> Callable[[Documents], object]:
    """Remove a field."""

    def make(documents: Documents) -> None:
        *way, last = path.split("/")
        place = _at(named(documents, kind, name), way)
        del place[_step(place, last)]

    return make


def remove(kind: str, name: str) -> Callable[[Documents], object]:
    """Remove a document."""
    return lambda documents: documents.remove(named(documents, kind, name))


def _at(document: Document, way: list[str]) -> Any:
    place: Any = document
    for step in way:
        place = place[_step(place, step)]
    return place


def _step(place: Any, step: str) -> str | int:
    if not isinstance(place, list):
        return step.replace("~", "/")
    return int(step) if step.isdigit() else [each["name"] for each in place].index(step)


POD = "spec/template/spec"
APP = f"{POD}/containers/0"
NOTE = "spec/template/metadata/annotations/dapr.io~"
ALLOWED = "spec/accessControl/policies/0"

MISTAKES = {
    "a misspelt field": Mistake(
        "schemas", put("Deployment", "orders", f"{APP}/livenessprobe", {}), "livenessprobe"
    ),
    "a misspelt field of Dapr": Mistake(
        "schemas", put("Configuration", "orders", "spec/trace", {}), "trace"
    ),
    "an unknown workflow operation": Mistake(
        "schemas",
        put("WorkflowAccessPolicy", "orders", "spec/rules/0/workflows/0/operations", ["begin"]),
        "begin",
    ),
    "a misspelt field of KEDA": Mistake(
        "schemas", put("ScaledObject", "orders", "spec/maxReplicas", 4), "maxReplicas", WITH_KEDA
    ),
    "a service that is not deployed": Mistake(
        "deployments", remove("Deployment", "approvals"), "approvals is not deployed"
    ),
    "an undeclared deployment": Mistake(
        "deployments", put("Deployment", "orders", "metadata/name", "order"), "not declared"
    ),
    "no migration": Mistake("migrations", remove("Job", "orders-migration"), "nothing migrates"),
    "a service that does not wait for its migration": Mistake(
        "migrations", drop("Deployment", "approvals", f"{POD}/initContainers/0"), "does not wait"
    ),
    "a migration with another image": Mistake(
        "migrations", put("Job", "orders-migration", f"{APP}/image", "orderflow/orders:0"), "image"
    ),
    "a job that starts the service": Mistake(
        "migrations", drop("Job", "orders-migration", f"{APP}/args"), "does not run migrate"
    ),
    "an init container that migrates": Mistake(
        "migrations",
        put("Deployment", "orders", f"{POD}/initContainers/0/args", ["migrate"]),
        "does not run wait-until-migrated",
    ),
    "a migration of another database": Mistake(
        "migrations",
        put(
            "Job",
            "orders-migration",
            f"{APP}/env/ORDERS_DATABASE_URL/valueFrom/secretKeyRef/key",
            "approvals-url",
        ),
        "another database",
    ),
    "a finished job that is not removed": Mistake(
        "migrations",
        drop("Job", "orders-migration", "spec/ttlSecondsAfterFinished"),
        "in the way",
    ),
    "a job that the Service selects": Mistake(
        "migrations",
        put(
            "Job",
            "orders-migration",
            "spec/template/metadata/labels/app.kubernetes.io~name",
            "orders",
        ),
        "taken for the service",
    ),
    "a job with a sidecar": Mistake(
        "migrations",
        put(
            "Job",
            "orders-migration",
            "spec/template/metadata/annotations",
            {"dapr.io/enabled": "1"},
        ),
        "never ends",
    ),
    "a migration as root": Mistake(
        "hardening",
        drop("Job", "orders-migration", f"{POD}/securityContext/runAsNonRoot"),
        "root",
    ),
    "a migration that cannot reach the database": Mistake(
        "connections",
        drop("NetworkPolicy", "to-postgres", "spec/egress/0"),
        "orders-migration does not reach postgres",
    ),
    "root": Mistake(
        "hardening", drop("Deployment", "orders", f"{POD}/securityContext/runAsNonRoot"), "root"
    ),
    "any user": Mistake(
        "hardening", drop("Deployment", "orders", f"{APP}/securityContext/runAsUser"), "user"
    ),
    "no seccomp profile": Mistake(
        "hardening",
        drop("StatefulSet", "redis", f"{POD}/securityContext/seccompProfile"),
        "seccomp",
    ),
    "a writable root file system": Mistake(
        "hardening",
        put(
            "StatefulSet", "postgres", f"{APP}/securityContext/readOnlyRootFilesystem", value=False
        ),
        "writes",
    ),
    "privilege escalation allowed": Mistake(
        "hardening",
        drop("Deployment", "orders", f"{APP}/securityContext/allowPrivilegeEscalation"),
        "gain",
    ),
    "capabilities not dropped": Mistake(
        "hardening",
        put("Deployment", "orders", f"{APP}/securityContext/capabilities", {"add": ["NET_RAW"]}),
        "capabilities",
    ),
    "a privileged container": Mistake(
        "hardening",
        put("Deployment", "orders", f"{APP}/securityContext/privileged", value=True),
        "privileged",
    ),
    "a mounted Kubernetes token": Mistake(
        "hardening", drop("Deployment", "orders", f"{POD}/automountServiceAccountToken"), "token"
    ),
    "no memory limit": Mistake(
        "resources", drop("Deployment", "inventory", f"{APP}/resources/limits/memory"), "resources"
    ),
    "a sidecar without a limit": Mistake(
        "resources", drop("Deployment", "orders", f"{NOTE}sidecar-memory-limit"), "memory-limit"
    ),
    "an image without a version": Mistake(
        "images", put("StatefulSet", "redis", f"{APP}/image", "redis"), "version"
    ),
    "another service's image": Mistake(
        "images", put("Deployment", "orders", f"{APP}/image", "orderflow/inventory:1"), "runs"
    ),
    "no probe": Mistake("probes", drop("Deployment", "orders", f"{APP}/startupProbe"), "startup"),
    "a probe of an unknown path": Mistake(
        "probes",
        put("Deployment", "orders", f"{APP}/readinessProbe/httpGet/path", "/ready"),
        "/ready",
    ),
    "a probe of an unknown port": Mistake(
        "probes", put("Deployment", "orders", f"{APP}/livenessProbe/httpGet/port", "web"), "web"
    ),
    "a sidecar that ends too early": Mistake(
        "stopping", put("Deployment", "orders", f"{NOTE}block-shutdown-duration", "5s"), "leaves"
    ),
    "a grace period that is too short": Mistake(
        "stopping",
        put("Deployment", "orders", f"{POD}/terminationGracePeriodSeconds", 30),
        "killed",
    ),
    "a variable that nothing reads": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/0", {"name": "ORDERS_TOKEN", "value": "x"}),
        "ORDERS_TOKEN",
    ),
    "a variable that Dapr injects": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/1", {"name": "DAPR_HTTP_PORT", "value": "1"}),
        "DAPR_HTTP_PORT",
    ),
    "a database file in the pod": Mistake(
        "environment",
        drop("Deployment", "orders", f"{APP}/env/ORDERS_DATABASE_URL"),
        "ORDERS_DATABASE_URL",
    ),
    "loopback": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/ORDERS_HTTP_HOST/value", "127.0.0.1"),
        "outside",
    ),
    "a password in plain text": Mistake(
        "environment",
        put(
            "Deployment",
            "orders",
            f"{APP}/env/ORDERS_DATABASE_URL",
            {"name": "ORDERS_DATABASE_URL", "value": "x"},
        ),
        "no secret",
    ),
    "no access file": Mistake(
        "people", drop("Deployment", "orders", f"{APP}/env/ORDERFLOW_ACCESS_FILE"), "from no secret"
    ),
    "an access file that is not mounted": Mistake(
        "people",
        put("Deployment", "orders", f"{APP}/env/ORDERFLOW_ACCESS_FILE/value", "/etc/access.json"),
        "from no secret",
    ),
    "a writable access file": Mistake(
        "people", drop("Deployment", "orders", f"{APP}/volumeMounts/access/readOnly"), "may change"
    ),
    "an access file that is not updated": Mistake(
        "people",
        put("Deployment", "orders", f"{APP}/volumeMounts/access/subPath", "access.json"),
        "never learns",
    ),
    "an access file with another group": Mistake(
        "people", put("Deployment", "orders", f"{POD}/securityContext/fsGroup", 2000), "cannot read"
    ),
    "an access file readable by root only": Mistake(
        "people",
        put("Deployment", "orders", f"{POD}/volumes/access/secret/defaultMode", 0o400),
        "cannot read",
    ),
    "an access file readable by everyone": Mistake(
        "people",
        put("Deployment", "orders", f"{POD}/volumes/access/secret/defaultMode", 0o444),
        "everybody",
    ),
    "another namespace": Mistake(
        "namespaces", put("Service", "orders", "metadata/namespace", "default"), "Service orders"
    ),
    "a namespace without enforced standard": Mistake(
        "namespaces",
        drop("Namespace", "orderflow", "metadata/labels/pod-security.kubernetes.io~enforce"),
        "admits",
    ),
    "a missing service account": Mistake(
        "accounts_and_volumes", remove("ServiceAccount", "orders"), "no account orders"
    ),
    "a missing config map": Mistake(
        "accounts_and_volumes",
        put("StatefulSet", "redis", f"{POD}/volumes/0/configMap/name", "gone"),
        "no config map gone",
    ),
    "a missing volume": Mistake(
        "accounts_and_volumes", drop("Deployment", "orders", f"{POD}/volumes/tmp"), "tmp"
    ),
    "a Service that selects no pod": Mistake(
        "service_targets",
        put("Service", "orders", "spec/selector", {"app": "order"}),
        "selects 0",
    ),
    "a Service to an unknown port": Mistake(
        "service_targets", put("Service", "orders", "spec/ports/0/targetPort", "web"), "nowhere"
    ),
    "a port without a listener": Mistake(
        "service_targets",
        put("Deployment", "orders", f"{APP}/ports/0/containerPort", 8080),
        "listens on",
    ),
    "no budget": Mistake(
        "budgets", remove("PodDisruptionBudget", "orders"), "orders has no budget"
    ),
    "a budget that selects no pod": Mistake(
        "budgets",
        put("PodDisruptionBudget", "orders", "spec/selector/matchLabels", {"app": "order"}),
        "covers []",
    ),
    "a budget that forbids every drain": Mistake(
        "budgets", put("PodDisruptionBudget", "orders", "spec/maxUnavailable", 0), "forbid"
    ),
    "an autoscaler of nothing": Mistake(
        "scaling",
        put("HorizontalPodAutoscaler", "orders", "spec/scaleTargetRef/name", "order"),
        "no deployment order",
        PRODUCTION,
    ),
    "an autoscaler that measures another container": Mistake(
        "scaling",
        put("ScaledObject", "orders", "spec/triggers/0/metadata/containerName", "main"),
        "no container main",
        WITH_KEDA,
    ),
    "two autoscalers": Mistake(
        "scaling",
        put("HorizontalPodAutoscaler", "inventory", "spec/scaleTargetRef/name", "orders"),
        "scaled twice",
        WITH_KEDA,
    ),
    "a service that is not scaled": Mistake(
        "scaling", remove("HorizontalPodAutoscaler", "inventory"), "inventory is not", PRODUCTION
    ),
    "a service that KEDA does not scale": Mistake(
        "scaling", remove("ScaledObject", "approvals"), "approvals is not scaled", WITH_KEDA
    ),
    "a fixed number of replicas": Mistake(
        "scaling", put("Deployment", "orders", "spec/replicas", 3), "fixed number", PRODUCTION
    ),
    "another application's name": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}app-id", "order"), "app-id"
    ),
    "the wrong port for the sidecar": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}app-port", "8001"), "app-port"
    ),
    "a misspelt annotation": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}sidecar-mem-limit", "1Gi"), "knows no"
    ),
    "a missing Configuration": Mistake(
        "annotations", remove("Configuration", "approvals"), "no Configuration approvals"
    ),
    "a sidecar without rules": Mistake(
        "annotations", drop("Configuration", "approvals", "spec/httpPipeline"), "refuses nothing"
    ),
    "two tokens": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}app-token-secret", "x"), "app-token"
    ),
    "a component without scopes": Mistake(
        "components", drop("Component", "workflow-store", "scopes"), "scopes are None"
    ),
    "a missing component": Mistake(
        "components", remove("Component", "pubsub"), "no component pubsub"
    ),
    "a misspelt setting": Mistake(
        "components",
        put("Component", "pubsub", "spec/metadata/4/name", "processTimeout"),
        "reads no",
    ),
    "an unknown component type": Mistake(
        "components", put("Component", "pubsub", "spec/type", "pubsub.reddis"), "pubsub.reddis"
    ),
    "a password in git": Mistake(
        "components",
        put("Component", "pubsub", "spec/metadata/1", {"name": "redisPassword", "value": "x"}),
        "redisPassword is no secret",
    ),
    "no state store for workflows": Mistake(
        "components",
        put("Component", "workflow-store", "spec/metadata/2/value", "false"),
        "kept in []",
    ),
    "the ledger in Redis": Mistake(
        "components", put("Component", "inventory-store", "spec/type", "state.redis"), "by halves"
    ),
    "a resiliency policy for an unknown component": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", "spec/targets/components/pub", {}),
        "no component pub",
    ),
    "a missing resiliency policy": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", "spec/targets/components/pubsub/inbound/retry", "never"),
        "no policy never",
    ),
    "no retries of events": Mistake(
        "resiliency", remove("Resiliency", "orderflow"), "dead letter at once"
    ),
    "limited retries of events": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", f"{POLICY}/maxRetries", 21600),
        "gives up",
    ),
    "retries limited by Dapr's default": Mistake(
        "resiliency",
        put(
            "Resiliency", "orderflow", "spec/policies/retries/until-it-works/policy", "exponential"
        ),
        "gives up",
    ),
    "a resiliency without the services' scopes": Mistake(
        "resiliency", put("Resiliency", "orderflow", "scopes", ["orders"]), "scopes"
    ),
    "access allowed by default": Mistake(
        "access", put("Configuration", "approvals", "spec/accessControl", {}), "anyone may call"
    ),
    "every method allowed for a caller": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/defaultAction", "allow"), "anything"
    ),
    "a caller that is not allowed": Mistake(
        "access", put("Configuration", "inventory", f"{ALLOWED}/appId", "approvals"), "reserve may"
    ),
    "a caller from another namespace": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/namespace", "default"), "no caller"
    ),
    "a caller from another trust domain": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/trustDomain", "other"), "trust domain"
    ),
    "a misspelt method": Mistake(
        "access",
        put("Configuration", "orders", f"{ALLOWED}/operations/0/name", "/rise"),
        "offers no rise",
    ),
    "a missing method": Mistake(
        "access", drop("Configuration", "inventory", f"{ALLOWED}/operations/2"), "release may be"
    ),
    "workflows open to another application": Mistake(
        "workflows",
        put("WorkflowAccessPolicy", "orders", "spec/rules/0/callers/0/appID", "approvals"),
        "open to ['approvals']",
    ),
    "workflows open to everyone": Mistake(
        "workflows", remove("WorkflowAccessPolicy", "orders"), "open"
    ),
    "an unknown queue": Mistake(
        "backlog",
        put("ScaledObject", "orders", "spec/triggers/1/metadata/stream", "orders"),
        "no queue",
        WITH_KEDA,
    ),
    "another application's queue": Mistake(
        "backlog",
        put("ScaledObject", "orders", "spec/triggers/1/metadata/consumerGroup", "approvals"),
        "no queue",
        WITH_KEDA,
    ),
    "a queue that is not measured": Mistake(
        "backlog",
        drop("ScaledObject", "orders", "spec/triggers/1"),
        "does not scale on orders.submitted",
        WITH_KEDA,
    ),
    "another broker's queue": Mistake(
        "backlog",
        put("Component", "pubsub", "spec/type", "pubsub.kafka"),
        "redis-streams for pubsub.kafka",
        WITH_KEDA,
    ),
    "no authentication": Mistake(
        "backlog", remove("TriggerAuthentication", "broker"), "no authentication broker", WITH_KEDA
    ),
    "a network policy that selects no pod": Mistake(
        "selectors",
        put("NetworkPolicy", "redis", "spec/podSelector/matchLabels", {"app": "redis"}),
        "about no pod",
    ),
    "a network rule whose peer selects no pod": Mistake(
        "selectors",
        put(
            "NetworkPolicy", "to-postgres", "spec/egress/0/to/0/podSelector/matchLabels", {"a": "b"}
        ),
        "lets no pod",
    ),
    "a network policy with a label that no pod has": Mistake(
        "selectors",
        put(
            *("NetworkPolicy", "to-postgres", "spec/podSelector/matchExpressions/0/values"),
            ["service", "order"],
        ),
        "names app.kubernetes.io/component=order",
        PRODUCTION,
    ),
    "no default denial": Mistake("selectors", remove("NetworkPolicy", "deny-all"), "let through"),
    "an unreachable sidecar": Mistake(
        "connections",
        put("NetworkPolicy", "sidecars", "spec/ingress/0/ports/0/port", 50001),
        "sidecar of",
    ),
    "an unreachable database": Mistake(
        "connections", remove("NetworkPolicy", "to-postgres"), "inventory does not reach postgres"
    ),
    "an unreachable broker": Mistake(
        "connections", remove("NetworkPolicy", "redis"), "orders does not reach redis"
    ),
    "an unreachable external broker": Mistake(
        "connections",
        remove("NetworkPolicy", "to-broker"),
        "approvals does not reach the broker",
        PRODUCTION,
    ),
    "an external broker open to all services": Mistake(
        "connections",
        put("NetworkPolicy", "to-broker", "spec/podSelector", {}),
        "inventory reaches the broker",
        PRODUCTION,
    ),
    "an unreachable external database": Mistake(
        "connections",
        remove("NetworkPolicy", "to-postgres"),
        "inventory does not reach PostgreSQL",
        PRODUCTION,
    ),
    "a service without its label for the broker": Mistake(
        "connections",
        drop("Deployment", "approvals", "spec/template/metadata/labels/orderflow-broker"),
        "approvals does not reach the broker",
        PRODUCTION,
    ),
    "a port outside that nobody is known to need": Mistake(
        "connections",
        put("NetworkPolicy", "to-broker", "spec/egress/0/ports/0/port", 443),
        "approvals reaches port 443 outside",
        PRODUCTION,
    ),
    "an unreachable HTTP port": Mistake(
        "connections", remove("NetworkPolicy", "clients"), "people do not reach"
    ),
    "a port that bypasses the sidecar": Mistake(
        "connections",
        lambda documents: [
            named(documents, "NetworkPolicy", "sidecars")["spec"][way][0]["ports"].append(
                {"port": "http"}
            )
            for way in ("ingress", "egress")
        ],
        "beside its sidecar",
    ),
    "a broker open to all pods": Mistake(
        "connections",
        lambda documents: [
            named(documents, "NetworkPolicy", name)["spec"].update(changed)
            for name, changed in (
                ("to-redis", {"podSelector": {}}),
                (
                    "redis",
                    {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 6379}]}]},
                ),
            )
        ],
        "inventory reaches the broker",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(mistake: Mistake) -> None:
    """The check reports the mistake and where it is."""
    documents = render(mistake.variant)
    mistake.make(documents)
    findings = CHECKS[mistake.check](documents)
    assert any(mistake.says in finding for finding in findings), findings


def test_every_check_has_a_mistake_that_it_finds() -> None:
    """A check that never fails would prove nothing."""
    assert {mistake.check for mistake in MISTAKES.values()} == CHECKS.keys()


def test_an_unlisted_secret_is_found() -> None:
    """A new secret, or a new key of one, must be in the documented list."""
    documents = render(LOCAL)
    put("Deployment", "orders", f"{APP}/env/ORDERS_DATABASE_URL/valueFrom/secretKeyRef/key", "url")(
        documents
    )
    extra = secrets_used(documents) - secrets_documented("local")
    assert extra == {("orderflow-postgres", "url")}


def test_environments_need_different_secrets() -> None:
    """The list is read by environment, and each broker has its own secrets."""
    assert len({frozenset(secrets_documented(variant.broker)) for variant in VARIANTS}) == 4
