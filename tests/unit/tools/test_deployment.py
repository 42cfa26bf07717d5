"""A deployment to a cluster of the user's own, by a kubectl that only records."""

import argparse
import shutil
from pathlib import Path

import pytest
import yaml

from orderflow_cli import passwords
from orderflow_contracts.access import AccessFile, Role, token_digest
from orderflow_tools.deployment import command, secrets
from orderflow_tools.deployment.client import Client
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings


def kubectl(folder: Path, names: str) -> Client:
    """Return a client whose kubectl knows some secrets and records what it should create."""
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\n[ $1 = get ] && echo "{names}" || cat > {folder}/created\n')
    program.chmod(0o755)
    return Client(program)


def test_missing_secrets_are_created_at_random(tmp_path: Path) -> None:
    """Existing secrets do not change, and no two clusters have the same ones."""
    client = kubectl(tmp_path, "secret/orderflow-redis\nsecret/orderflow-access")

    assert secrets.create_missing(client) == ["orderflow-app-token", "orderflow-postgres"]
    first = (tmp_path / "created").read_text()
    secrets.create_missing(client)
    assert (tmp_path / "created").read_text() != first
    created = [document["metadata"]["name"] for document in yaml.safe_load_all(first)]
    assert created == ["orderflow-app-token", "orderflow-postgres"]


def test_the_first_users_secret_matches_the_access_file(tmp_path: Path) -> None:
    """The password and the token in one secret are valid by the other."""
    client = kubectl(
        tmp_path, "secret/orderflow-redis secret/orderflow-app-token secret/orderflow-postgres"
    )

    assert secrets.create_missing(client) == ["orderflow-access"]

    stored, used = yaml.safe_load_all((tmp_path / "created").read_text())
    assert stored["metadata"]["name"] == "orderflow-access"
    assert used["metadata"]["name"] == "orderflow-first-user"
    file = AccessFile.model_validate_json(stored["stringData"]["access.json"])
    (user,), (token,) = file.users, file.tokens
    assert user.name == token.name == used["stringData"]["name"]
    assert passwords.matches(user.password_hash, used["stringData"]["password"])
    assert token.sha256 == token_digest(used["stringData"]["token"])
    assert token.roles == tuple(Role)


def test_a_database_url_contains_the_password_of_its_role() -> None:
    """The database server and its clients get the same passwords."""
    values = secrets.postgres()

    for role, key in (("orders", "orders-url"), ("inventory", "inventory-store")):
        assert f"//{role}:{values[f'{role}-password']}@postgres:5432/{role}" in values[key]


def test_without_kubectl_a_deployment_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is built for it: whoever has a cluster has kubectl."""
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(PlatformError, match="no kubectl on the PATH"):
        command.deploy_local(Settings.isolated(tmp_path), argparse.Namespace(yes=True))


def test_a_deployment_asks_first_and_names_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a yes, kubectl is only asked which cluster it points to."""
    program = tmp_path / "kubectl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/commands; echo my-cluster\n')
    program.chmod(0o755)
    questions: list[str] = []

    def refuse(question: str) -> str:
        questions.append(question)
        return "no"

    monkeypatch.setattr("builtins.input", refuse)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    outcome = command.deploy_local(Settings.isolated(tmp_path), argparse.Namespace(yes=False))

    assert outcome == 1
    assert "my-cluster" in questions[0]
    assert "Nothing was deployed." in capsys.readouterr().out
    assert (tmp_path / "commands").read_text() == "config current-context\n"
