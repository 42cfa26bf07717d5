"""Applies the local overlay to a cluster, creates its secrets, and waits for the services."""

from pathlib import Path
from typing import Final

from orderflow_tools.deployment import secrets
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import APPS
from orderflow_tools.start_up import Step, silent

OVERLAY: Final = Path("deploy/overlays/local")
NAMESPACE_FILE: Final = Path("deploy/base/namespace.yaml")
STORES: Final = ("statefulset/redis", "statefulset/postgres")
MIGRATIONS: Final = "app.kubernetes.io/component=migration"
"""The jobs of the last deployment, which cannot be changed and may not have removed themselves."""
TIMEOUT: Final = 240
"""Seconds for each part; a slow machine takes one or two minutes for all of them."""


def deploy(root: Path, client: Client, *, step: Step = silent) -> None:
    """Apply the overlay and return when every service is ready.

    Services that were deployed before are restarted, as their images may have changed.
    """
    before = client.run("get", "deployments", "-n", secrets.NAMESPACE, "-o", "name").split()
    with step("secrets and manifests"):
        client.run("apply", "-f", root / NAMESPACE_FILE)
        secrets.create_missing(client)
        client.run("delete", "jobs", "-n", secrets.NAMESPACE, "-l", MIGRATIONS, "--wait")
        client.run("apply", "-k", root / OVERLAY)
    with step("Redis and PostgreSQL"):
        for store in STORES:
            _wait(client, store)
    names = [f"deployment/{app}" for app in APPS]
    if set(before) & {f"deployment.apps/{app}" for app in APPS}:
        client.run("rollout", "restart", "-n", secrets.NAMESPACE, *names)
    with step(f"services: {', '.join(APPS)}"):
        for name in names:
            _wait(client, name)


def _wait(client: Client, name: str) -> None:
    where = ("-n", secrets.NAMESPACE)
    try:
        client.run("rollout", "status", *where, name, f"--timeout={TIMEOUT}s")
    except PlatformError as error:
        pods = client.run("get", "pods", *where, "-o", "wide")
        events = client.run("get", "events", *where, "--sort-by=.lastTimestamp")
        last = "\n".join(events.splitlines()[-15:])
        raise PlatformError(f"{error}\n\n{pods}\n{last}") from None
