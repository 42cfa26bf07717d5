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
    "a field misspelt": Mistake(
        "schemas", put("Deployment", "orders", f"{APP}/livenessprobe", {}), "livenessprobe"
    ),
    "a field of Dapr misspelt": Mistake(
        "schemas", put("Configuration", "orders", "spec/trace", {}), "trace"
    ),
    "an operation that workflows have not": Mistake(
        "schemas",
        put("WorkflowAccessPolicy", "orders", "spec/rules/0/workflows/0/operations", ["begin"]),
        "begin",
    ),
    "a field of KEDA misspelt": Mistake(
        "schemas", put("ScaledObject", "orders", "spec/maxReplicas", 4), "maxReplicas", WITH_KEDA
    ),
    "a service that is not deployed": Mistake(
        "deployments", remove("Deployment", "approvals"), "approvals is not deployed"
    ),
    "a deployment that nobody declared": Mistake(
        "deployments", put("Deployment", "orders", "metadata/name", "order"), "not declared"
    ),
    "no migration": Mistake("migrations", remove("Job", "orders-migration"), "nothing migrates"),
    "a service that does not wait": Mistake(
        "migrations", drop("Deployment", "approvals", f"{POD}/initContainers/0"), "does not wait"
    ),
    "a migration of another image": Mistake(
        "migrations", put("Job", "orders-migration", f"{APP}/image", "orderflow/orders:0"), "image"
    ),
    "a job that starts the service": Mistake(
        "migrations", drop("Job", "orders-migration", f"{APP}/args"), "does not run migrate"
    ),
    "a wait that migrates": Mistake(
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
    "a job that stays": Mistake(
        "migrations",
        drop("Job", "orders-migration", "spec/ttlSecondsAfterFinished"),
        "in the way",
    ),
    "a job that the Service finds": Mistake(
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
    "a migration by root": Mistake(
        "hardening",
        drop("Job", "orders-migration", f"{POD}/securityContext/runAsNonRoot"),
        "root",
    ),
    "a migration without a way to the database": Mistake(
        "ways",
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
    "a root to write to": Mistake(
        "hardening",
        put(
            "StatefulSet", "postgres", f"{APP}/securityContext/readOnlyRootFilesystem", value=False
        ),
        "writes",
    ),
    "privileges to gain": Mistake(
        "hardening",
        drop("Deployment", "orders", f"{APP}/securityContext/allowPrivilegeEscalation"),
        "gain",
    ),
    "capabilities": Mistake(
        "hardening",
        put("Deployment", "orders", f"{APP}/securityContext/capabilities", {"add": ["NET_RAW"]}),
        "capabilities",
    ),
    "a privileged container": Mistake(
        "hardening",
        put("Deployment", "orders", f"{APP}/securityContext/privileged", value=True),
        "privileged",
    ),
    "a token of Kubernetes": Mistake(
        "hardening", drop("Deployment", "orders", f"{POD}/automountServiceAccountToken"), "token"
    ),
    "no limit of memory": Mistake(
        "resources", drop("Deployment", "inventory", f"{APP}/resources/limits/memory"), "resources"
    ),
    "a sidecar without a limit": Mistake(
        "resources", drop("Deployment", "orders", f"{NOTE}sidecar-memory-limit"), "memory-limit"
    ),
    "an image of no version": Mistake(
        "images", put("StatefulSet", "redis", f"{APP}/image", "redis"), "version"
    ),
    "another service's image": Mistake(
        "images", put("Deployment", "orders", f"{APP}/image", "orderflow/inventory:1"), "runs"
    ),
    "no probe": Mistake("probes", drop("Deployment", "orders", f"{APP}/startupProbe"), "startup"),
    "a path that nobody serves": Mistake(
        "probes",
        put("Deployment", "orders", f"{APP}/readinessProbe/httpGet/path", "/ready"),
        "/ready",
    ),
    "a probe at no port": Mistake(
        "probes", put("Deployment", "orders", f"{APP}/livenessProbe/httpGet/port", "web"), "web"
    ),
    "a sidecar that leaves early": Mistake(
        "stopping", put("Deployment", "orders", f"{NOTE}block-shutdown-duration", "5s"), "leaves"
    ),
    "a pod killed early": Mistake(
        "stopping",
        put("Deployment", "orders", f"{POD}/terminationGracePeriodSeconds", 30),
        "killed",
    ),
    "a variable that nothing reads": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/0", {"name": "ORDERS_TOKEN", "value": "x"}),
        "ORDERS_TOKEN",
    ),
    "a variable of Dapr's": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/1", {"name": "DAPR_HTTP_PORT", "value": "1"}),
        "DAPR_HTTP_PORT",
    ),
    "a database in the pod": Mistake(
        "environment",
        drop("Deployment", "orders", f"{APP}/env/ORDERS_DATABASE_URL"),
        "ORDERS_DATABASE_URL",
    ),
    "loopback": Mistake(
        "environment",
        put("Deployment", "orders", f"{APP}/env/ORDERS_HTTP_HOST/value", "127.0.0.1"),
        "outside",
    ),
    "a password for all to read": Mistake(
        "environment",
        put(
            "Deployment",
            "orders",
            f"{APP}/env/ORDERS_DATABASE_URL",
            {"name": "ORDERS_DATABASE_URL", "value": "x"},
        ),
        "no secret",
    ),
    "nobody named who may come in": Mistake(
        "people", drop("Deployment", "orders", f"{APP}/env/ORDERFLOW_ACCESS_FILE"), "from no secret"
    ),
    "an access file of nowhere": Mistake(
        "people",
        put("Deployment", "orders", f"{APP}/env/ORDERFLOW_ACCESS_FILE/value", "/etc/access.json"),
        "from no secret",
    ),
    "an access file that could be written": Mistake(
        "people", drop("Deployment", "orders", f"{APP}/volumeMounts/access/readOnly"), "may change"
    ),
    "an access file that stays as it was": Mistake(
        "people",
        put("Deployment", "orders", f"{APP}/volumeMounts/access/subPath", "access.json"),
        "never learns",
    ),
    "an access file of another group": Mistake(
        "people", put("Deployment", "orders", f"{POD}/securityContext/fsGroup", 2000), "cannot read"
    ),
    "an access file for root alone": Mistake(
        "people",
        put("Deployment", "orders", f"{POD}/volumes/access/secret/defaultMode", 0o400),
        "cannot read",
    ),
    "an access file for everybody": Mistake(
        "people",
        put("Deployment", "orders", f"{POD}/volumes/access/secret/defaultMode", 0o444),
        "everybody",
    ),
    "another namespace": Mistake(
        "namespaces", put("Service", "orders", "metadata/namespace", "default"), "Service orders"
    ),
    "a namespace that admits anything": Mistake(
        "namespaces",
        drop("Namespace", "orderflow", "metadata/labels/pod-security.kubernetes.io~enforce"),
        "admits",
    ),
    "no account": Mistake(
        "accounts_and_volumes", remove("ServiceAccount", "orders"), "no account orders"
    ),
    "no config map": Mistake(
        "accounts_and_volumes",
        put("StatefulSet", "redis", f"{POD}/volumes/0/configMap/name", "gone"),
        "no config map gone",
    ),
    "no volume": Mistake(
        "accounts_and_volumes", drop("Deployment", "orders", f"{POD}/volumes/tmp"), "tmp"
    ),
    "a Service for nobody": Mistake(
        "service_targets",
        put("Service", "orders", "spec/selector", {"app": "order"}),
        "selects 0",
    ),
    "a Service to a port that is not there": Mistake(
        "service_targets", put("Service", "orders", "spec/ports/0/targetPort", "web"), "nowhere"
    ),
    "a port that nobody listens on": Mistake(
        "service_targets",
        put("Deployment", "orders", f"{APP}/ports/0/containerPort", 8080),
        "listens on",
    ),
    "no budget": Mistake(
        "budgets", remove("PodDisruptionBudget", "orders"), "orders has no budget"
    ),
    "a budget for nobody": Mistake(
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
    "an autoscaler of another container": Mistake(
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
    "an annotation misspelt": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}sidecar-mem-limit", "1Gi"), "knows no"
    ),
    "no Configuration": Mistake(
        "annotations", remove("Configuration", "approvals"), "no Configuration approvals"
    ),
    "two tokens": Mistake(
        "annotations", put("Deployment", "orders", f"{NOTE}app-token-secret", "x"), "app-token"
    ),
    "a component for all": Mistake(
        "components", drop("Component", "workflow-store", "scopes"), "scopes are None"
    ),
    "a component that is not there": Mistake(
        "components", remove("Component", "pubsub"), "no component pubsub"
    ),
    "a setting misspelt": Mistake(
        "components",
        put("Component", "pubsub", "spec/metadata/4/name", "processTimeout"),
        "reads no",
    ),
    "a type that is not there": Mistake(
        "components", put("Component", "pubsub", "spec/type", "pubsub.reddis"), "pubsub.reddis"
    ),
    "a password in git": Mistake(
        "components",
        put("Component", "pubsub", "spec/metadata/1", {"name": "redisPassword", "value": "x"}),
        "redisPassword is no secret",
    ),
    "no engine": Mistake(
        "components",
        put("Component", "workflow-store", "spec/metadata/2/value", "false"),
        "kept in []",
    ),
    "the ledger in Redis": Mistake(
        "components", put("Component", "inventory-store", "spec/type", "state.redis"), "by halves"
    ),
    "a policy for another component": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", "spec/targets/components/pub", {}),
        "no component pub",
    ),
    "a policy that is not there": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", "spec/targets/components/pubsub/inbound/retry", "never"),
        "no policy never",
    ),
    "no patience with events": Mistake(
        "resiliency", remove("Resiliency", "orderflow"), "dead letter at once"
    ),
    "patience with an end": Mistake(
        "resiliency",
        put("Resiliency", "orderflow", f"{POLICY}/maxRetries", 21600),
        "gives up",
    ),
    "patience that Dapr ends by itself": Mistake(
        "resiliency",
        put(
            "Resiliency", "orderflow", "spec/policies/retries/until-it-works/policy", "exponential"
        ),
        "gives up",
    ),
    "policies for too few": Mistake(
        "resiliency", put("Resiliency", "orderflow", "scopes", ["orders"]), "scopes"
    ),
    "doors open": Mistake(
        "access", put("Configuration", "approvals", "spec/accessControl", {}), "anyone may call"
    ),
    "any method for a caller": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/defaultAction", "allow"), "anything"
    ),
    "a caller who may not": Mistake(
        "access", put("Configuration", "inventory", f"{ALLOWED}/appId", "approvals"), "reserve may"
    ),
    "a caller from elsewhere": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/namespace", "default"), "no caller"
    ),
    "a caller of another domain": Mistake(
        "access", put("Configuration", "orders", f"{ALLOWED}/trustDomain", "other"), "trust domain"
    ),
    "a method misspelt": Mistake(
        "access",
        put("Configuration", "orders", f"{ALLOWED}/operations/0/name", "/rise"),
        "offers no rise",
    ),
    "a method forgotten": Mistake(
        "access", drop("Configuration", "inventory", f"{ALLOWED}/operations/2"), "release may be"
    ),
    "workflows for others": Mistake(
        "workflows",
        put("WorkflowAccessPolicy", "orders", "spec/rules/0/callers/0/appID", "approvals"),
        "open to ['approvals']",
    ),
    "workflows for anyone": Mistake("workflows", remove("WorkflowAccessPolicy", "orders"), "open"),
    "a queue that is not there": Mistake(
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
    "a policy about nobody": Mistake(
        "selectors",
        put("NetworkPolicy", "redis", "spec/podSelector/matchLabels", {"app": "redis"}),
        "about no pod",
    ),
    "a way for nobody": Mistake(
        "selectors",
        put(
            "NetworkPolicy", "to-postgres", "spec/egress/0/to/0/podSelector/matchLabels", {"a": "b"}
        ),
        "lets no pod",
    ),
    "all ways open": Mistake("selectors", remove("NetworkPolicy", "deny-all"), "let through"),
    "a closed sidecar": Mistake(
        "ways", put("NetworkPolicy", "sidecars", "spec/ingress/0/ports/0/port", 50001), "sidecar of"
    ),
    "a store out of reach": Mistake(
        "ways", remove("NetworkPolicy", "to-postgres"), "inventory does not reach postgres"
    ),
    "a store that is closed": Mistake(
        "ways", remove("NetworkPolicy", "redis"), "orders does not reach redis"
    ),
    "a broker elsewhere that is out of reach": Mistake(
        "ways",
        remove("NetworkPolicy", "to-broker"),
        "approvals does not reach the broker",
        PRODUCTION,
    ),
    "a broker elsewhere that is open to all": Mistake(
        "ways",
        put("NetworkPolicy", "to-broker", "spec/podSelector", {}),
        "inventory reaches the broker",
        PRODUCTION,
    ),
    "a database elsewhere that is out of reach": Mistake(
        "ways",
        remove("NetworkPolicy", "to-postgres"),
        "inventory does not reach PostgreSQL",
        PRODUCTION,
    ),
    "a service without its label for the broker": Mistake(
        "ways",
        drop("Deployment", "approvals", "spec/template/metadata/labels/orderflow-broker"),
        "approvals does not reach the broker",
        PRODUCTION,
    ),
    "people kept out": Mistake("ways", remove("NetworkPolicy", "clients"), "people do not reach"),
    "a way round the sidecar": Mistake(
        "ways",
        lambda documents: [
            named(documents, "NetworkPolicy", "sidecars")["spec"][way][0]["ports"].append(
                {"port": "http"}
            )
            for way in ("ingress", "egress")
        ],
        "beside its sidecar",
    ),
    "the broker for all": Mistake(
        "ways",
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
