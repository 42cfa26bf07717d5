"""All checks of rendered manifests, by name."""

from typing import Final

from deploy import dapr_checks, migration_checks, network_checks, pod_checks, reference_checks
from deploy.documents import Check
from deploy.schemas import schema_findings

CHECKS: Final[dict[str, Check]] = {
    "schemas": schema_findings,
    **{
        check.__name__: check
        for check in (
            pod_checks.deployments,
            pod_checks.hardening,
            pod_checks.resources,
            pod_checks.images,
            pod_checks.probes,
            pod_checks.stopping,
            pod_checks.environment,
            pod_checks.people,
            migration_checks.migrations,
            reference_checks.namespaces,
            reference_checks.accounts_and_volumes,
            reference_checks.service_targets,
            reference_checks.budgets,
            reference_checks.scaling,
            dapr_checks.annotations,
            dapr_checks.components,
            dapr_checks.resiliency,
            dapr_checks.access,
            dapr_checks.workflows,
            dapr_checks.backlog,
            network_checks.selectors,
            network_checks.connections,
        )
    },
}
