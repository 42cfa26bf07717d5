"""The secrets of the local overlay: random, created if missing, and stored in the cluster only."""

from collections.abc import Callable, Mapping
from secrets import token_urlsafe
from typing import Any, Final

import yaml

from orderflow_cli import accounts, passwords
from orderflow_contracts.access import AccessFile, Role, new_token
from orderflow_contracts.names import INVENTORY, INVENTORY_STORE
from orderflow_tools.databases import WITH_TABLES
from orderflow_tools.deployment.client import Client

NAMESPACE: Final = "orderflow"
ACCESS: Final = "orderflow-access"
ACCESS_KEY: Final = "access.json"
FIRST_USER: Final = "orderflow-first-user"
"""The first user's name, password and token for people; no pod reads it."""
NAME: Final = "admin"
_POSTGRES: Final = "postgres:5432"


def app_token() -> dict[str, str]:
    """Return the token that a sidecar presents to its service."""
    return {"token": token_urlsafe(32)}


def redis() -> dict[str, str]:
    """Return the password of the broker."""
    return {"password": token_urlsafe(32)}


def postgres() -> dict[str, str]:
    """Return a password for each database role, and the database URLs that contain them."""
    # They are part of URLs, so none of their characters may have a meaning there.
    passwords = {role: token_urlsafe(24) for role in (*WITH_TABLES, INVENTORY)}
    tables = {
        f"{role}-url": f"postgresql+psycopg://{role}:{passwords[role]}@{_POSTGRES}/{role}"
        for role in WITH_TABLES
    }
    ledger = f"postgresql://{INVENTORY}:{passwords[INVENTORY]}@{_POSTGRES}/{INVENTORY}"
    return {
        **tables,
        INVENTORY_STORE: ledger,
        **{f"{role}-password": password for role, password in passwords.items()},
        "superuser-password": token_urlsafe(24),
    }


SECRETS: Final[Mapping[str, Callable[[], dict[str, str]]]] = {
    "orderflow-app-token": app_token,
    "orderflow-redis": redis,
    "orderflow-postgres": postgres,
}


def access() -> tuple[dict[str, str], dict[str, str]]:
    """Return a first user and a token: as the services' access file, and as people use them."""
    password, token = passwords.generate(), new_token()
    file = accounts.with_user(
        AccessFile(), NAME, (Role.APPROVER, Role.OPERATOR), passwords.hash_password(password)
    )
    file = accounts.with_token(file, NAME, Role, token)
    used = {"name": NAME, "password": password, "token": token}
    return {ACCESS_KEY: file.model_dump_json(indent=2)}, used


def create_missing(client: Client) -> list[str]:
    """Create the missing secrets and return their names; existing ones do not change."""
    existing = client.run("get", "secrets", "-n", NAMESPACE, "-o", "name").split()
    missing = [name for name in SECRETS if f"secret/{name}" not in existing]
    documents = [manifest(name, SECRETS[name]()) for name in missing]
    if f"secret/{ACCESS}" not in existing:
        missing.append(ACCESS)
        stored, used = access()
        documents += [manifest(ACCESS, stored), manifest(FIRST_USER, used)]
        # A secret that belongs to an earlier access file is no longer valid.
        client.run("delete", "secret", FIRST_USER, "-n", NAMESPACE, "--ignore-not-found")
    if documents:
        # On standard input, because every user of the machine can read arguments.
        client.run("create", "-f", "-", data=yaml.safe_dump_all(documents))
    return missing


def manifest(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Return the manifest of a secret."""
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
