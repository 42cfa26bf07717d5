"""The manifests of each service: what Kubernetes and Dapr must know of its declaration.

What all services have in common, such as the size of their pods, is in the folders beside them.
"""

from typing import Any, Final

import yaml

from orderflow_contracts.names import PUBSUB, SERVICES
from orderflow_contracts.service import Service

NAMESPACE: Final = "orderflow"
TRUST_DOMAIN: Final = "public"
HEADER: Final = "# Written by `make generate` from the declarations of the services.\n"

_SCOPES: Final = """\
patches:
- target:
    kind: Component
    name: {component}
  patch: |
    - op: add
      path: /scopes
      value: [{users}]
"""


def manifests() -> dict[str, str]:
    """Return each file's text, by its path in the folder of the services."""
    made = {"kustomization.yaml": _all_services()}
    for app_id, service in SERVICES.items():
        made[f"{app_id}/kustomization.yaml"] = HEADER + _dump(_kustomization(service))
        made[f"{app_id}/service.yaml"] = HEADER + _dump(_deployment(service), _access(service))
    return made


def _all_services() -> str:
    users = [app_id for app_id, service in SERVICES.items() if PUBSUB in service.components]
    listed = {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "resources": list(SERVICES),
    }
    return HEADER + _dump(listed) + _SCOPES.format(component=PUBSUB, users=", ".join(users))


def _kustomization(service: Service) -> dict[str, Any]:
    shared = {
        "../../service": True,
        "../../tables": service.has_tables,
        "../../broker": PUBSUB in service.components,
    }
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["service.yaml"],
        "components": [folder for folder, is_needed in shared.items() if is_needed],
    }


def _deployment(service: Service) -> dict[str, Any]:
    container = {
        "name": "app",
        "ports": [{"name": "http", "containerPort": service.ports.http}],
        "env": _environment(service),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service.app_id},
        "spec": {
            "template": {
                "metadata": {"annotations": {"dapr.io/app-port": str(service.ports.grpc)}},
                "spec": {"containers": [container]},
            }
        },
    }


def _environment(service: Service) -> list[dict[str, Any]]:
    """Return its own variables; the database comes first, where `../tables` looks for it."""
    prefix = service.app_id.upper()
    secret = {"name": "orderflow-postgres", "key": f"{service.app_id}-url"}
    database = {"name": f"{prefix}_DATABASE_URL", "valueFrom": {"secretKeyRef": secret}}
    host = {"name": f"{prefix}_HTTP_HOST", "value": "0.0.0.0"}  # noqa: S104 # a pod's own address
    return [database, host] if service.has_tables else [host]


def _access(service: Service) -> dict[str, Any]:
    """Return which methods each caller may invoke through the service's sidecar."""
    callers = sorted({caller for allowed in service.methods.values() for caller in allowed})
    policies = [
        {
            "appId": caller,
            "namespace": NAMESPACE,
            "trustDomain": TRUST_DOMAIN,
            "defaultAction": "deny",
            "operations": [
                {"name": f"/{method}", "httpVerb": ["*"], "action": "allow"}
                for method, allowed in service.methods.items()
                if caller in allowed
            ],
        }
        for caller in callers
    ]
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": service.app_id},
        "spec": {"accessControl": {"policies": policies}} if policies else {},
    }


def _dump(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)
