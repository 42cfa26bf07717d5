"""The secrets of the local overlay, made at random where they are missing, and nowhere kept."""

from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Any, Final

import yaml

from orderflow_tools.cluster.client import Client

NAMESPACE: Final = "orderflow"
_POSTGRES: Final = "postgres:5432"


def app_token() -> dict[str, str]:
    """Return what a sidecar shows its service."""
    return {"token": token_urlsafe(32)}


def redis() -> dict[str, str]:
    """Return the password of the broker."""
    return {"password": token_urlsafe(32)}


def postgres() -> dict[str, str]:
    """Return a password for each role of the stores' server, and addresses that hold them."""
    # They stand in URLs: none of these characters means anything there.
    passwords = {role: token_urlsafe(24) for role in ("orders", "approvals", "inventory")}
    tables = {
        f"{role}-url": f"postgresql+psycopg://{role}:{passwords[role]}@{_POSTGRES}/{role}"
        for role in ("orders", "approvals")
    }
    ledger = f"postgresql://inventory:{passwords['inventory']}@{_POSTGRES}/inventory"
    return {
        **tables,
        "inventory-store": ledger,
        **{f"{role}-password": password for role, password in passwords.items()},
        "superuser-password": token_urlsafe(24),
    }


SECRETS: Final[Mapping[str, Callable[[], dict[str, str]]]] = {
    "orderflow-app-token": app_token,
    "orderflow-redis": redis,
    "orderflow-postgres": postgres,
}


def create_missing(client: Client) -> list[str]:
    """Create the secrets that are not there, and return their names; none that is there changes."""
    told = client.run("get", "secrets", "-n", NAMESPACE, "-o", "name").split()
    missing = [name for name in SECRETS if f"secret/{name}" not in told]
    if missing:
        documents = [manifest(name, SECRETS[name]()) for name in missing]
        # By standard input: among arguments, everybody on the machine could read them.
        client.run("create", "-f", "-", data=yaml.safe_dump_all(documents))
    return missing


def manifest(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Return a secret as Kubernetes takes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/part-of": "orderflow"},
        },
        "stringData": values,
    }
