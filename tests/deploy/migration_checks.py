"""Checks that every service with tables is migrated before it starts."""

from typing import Final

import service_code
from deploy.documents import Document, Documents, labels, of_kind, selects, services, title

LONGEST_TTL_SECONDS: Final = 60
"""A job cannot be changed: no other version can be applied until it is removed."""


def migrations(documents: Documents) -> list[str]:
    """Report services that would wait for a migration for ever, or start without one."""
    jobs = {each["metadata"]["name"]: each for each in of_kind(documents, "Job")}
    findings = []
    for app_id, template, container in services(documents):
        url = f"{app_id.upper()}_DATABASE_URL"
        waiting = template["spec"].get("initContainers", [])
        if url not in service_code.variables(app_id):
            continue
        job = jobs.pop(f"{app_id}-migration", None)
        if job is None:
            findings.append(f"{app_id}: nothing migrates its database")
            continue
        (migrating,) = job["spec"]["template"]["spec"]["containers"]
        findings += _command(title(job), migrating, container, url, ["migrate"])
        findings += _job(job, template)
        if len(waiting) != 1:
            findings.append(f"{app_id}: does not wait for its migration")
        for each in waiting:
            findings += _command(app_id, each, container, url, ["wait-until-migrated"])
    return [*findings, *(f"{name} is of no service with tables" for name in jobs)]


def _command(
    who: str, container: Document, service: Document, url: str, arguments: list[str]
) -> list[str]:
    """Compare a container that runs a service's command with the service's container."""
    given, own = ({each["name"]: each for each in of["env"]} for of in (container, service))
    return [
        f"{who}, {container['name']}: {wrong}"
        for wrong, is_so in {
            "runs another image than the service": container["image"] != service["image"],
            f"does not run {arguments[0]}": container.get("args") != arguments,
            "uses another database than the service": given.get(url) != own[url],
            "is given what it does not need": given.keys() != {url, "LOG_FORMAT"},
        }.items()
        if is_so
    ]


def _job(job: Document, service: Document) -> list[str]:
    template = job["spec"]["template"]
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    name = {"matchLabels": {"app.kubernetes.io/name": labels(service)["app.kubernetes.io/name"]}}
    return [
        f"{title(job)}: {wrong}"
        for wrong, is_so in {
            "stands in the way of the next version": ttl is None or ttl > LONGEST_TTL_SECONDS,
            "is taken for the service": selects(name, labels(template)),
            "has a sidecar, which never ends": any(
                each.startswith("dapr.io/") for each in template["metadata"].get("annotations", {})
            ),
            "is not tried again": template["spec"].get("restartPolicy") != "OnFailure",
        }.items()
        if is_so
    ]
