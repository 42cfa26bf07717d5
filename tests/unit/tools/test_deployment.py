"""The secrets of a deployment, made by a kubectl that only records."""

from pathlib import Path

import yaml

from orderflow_cli import passwords
from orderflow_contracts.access import AccessFile, Role, token_digest
from orderflow_tools.deployment import secrets
from orderflow_tools.deployment.client import Client


def kubectl(folder: Path, names: str) -> Client:
    """Return a client whose kubectl knows some secrets, and keeps what it is told to create."""
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\n[ $1 = get ] && echo "{names}" || cat > {folder}/created\n')
    program.chmod(0o755)
    return Client(program)


def test_secrets_are_made_at_random_where_they_are_missing(tmp_path: Path) -> None:
    """What is there stays as it is, and no two clusters have the same."""
    client = kubectl(tmp_path, "secret/orderflow-redis\nsecret/orderflow-access")

    assert secrets.create_missing(client) == ["orderflow-app-token", "orderflow-postgres"]
    first = (tmp_path / "created").read_text()
    secrets.create_missing(client)
    assert (tmp_path / "created").read_text() != first
    created = [document["metadata"]["name"] for document in yaml.safe_load_all(first)]
    assert created == ["orderflow-app-token", "orderflow-postgres"]


def test_what_people_need_of_the_access_file_is_made_with_it(tmp_path: Path) -> None:
    """The password and the token in one secret are those that count by the other."""
    client = kubectl(
        tmp_path, "secret/orderflow-redis secret/orderflow-app-token secret/orderflow-postgres"
    )

    assert secrets.create_missing(client) == ["orderflow-access"]

    kept, used = yaml.safe_load_all((tmp_path / "created").read_text())
    assert kept["metadata"]["name"] == "orderflow-access"
    assert used["metadata"]["name"] == "orderflow-first-user"
    file = AccessFile.model_validate_json(kept["stringData"]["access.json"])
    (user,), (token,) = file.users, file.tokens
    assert user.name == token.name == used["stringData"]["name"]
    assert passwords.fits(user.password_hash, used["stringData"]["password"])
    assert token.sha256 == token_digest(used["stringData"]["token"])
    assert token.roles == tuple(Role)


def test_an_address_of_a_store_holds_the_password_of_its_role() -> None:
    """The stores' server and its clients are told the same."""
    values = secrets.postgres()

    for role, key in (("orders", "orders-url"), ("inventory", "inventory-store")):
        assert f"//{role}:{values[f'{role}-password']}@postgres:5432/{role}" in values[key]
