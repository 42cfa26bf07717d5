"""The user and the token of a run: created at its first start and shown at all starts."""

import getpass
from pathlib import Path

import pytest

from orderflow_cli import accounts, passwords
from orderflow_cli.access_file import AccessStore, write_private
from orderflow_cli.settings import load
from orderflow_contracts.access import AccessFile, Role, token_digest
from orderflow_tools import first_user
from orderflow_tools.errors import PlatformError
from orderflow_tools.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(getpass, "getuser", lambda: "rene")
    return Settings.isolated(tmp_path)


def held(settings: Settings) -> AccessFile:
    return AccessStore(settings.access_file).read()


def test_the_first_start_creates_a_user_and_a_token(settings: Settings) -> None:
    """Both are for this machine's user: one for the pages, one for the command."""
    password = first_user.prepare(settings)

    assert password is not None
    (user,), (token,) = held(settings).users, held(settings).tokens
    assert (user.name, user.roles) == ("rene", (Role.APPROVER, Role.OPERATOR))
    assert passwords.matches(user.password_hash, password)
    assert (token.name, token.roles) == ("rene", tuple(Role))
    assert token.sha256 == token_digest(settings.token_file.read_text().strip())
    for path in (settings.access_file, settings.token_file, settings.first_user_file):
        assert path.stat().st_mode & 0o777 == 0o600
    lines = "\n".join(first_user.sign_in(settings, password))
    assert f"{settings.url('approvals')}/ (inbox)" in lines
    assert f"{settings.url('orders')}/ (board)" in lines
    assert f"as rene with the password {password}" in lines


def test_the_command_finds_the_token_of_the_run(settings: Settings) -> None:
    """The first orders, the console and the bench have access if the APIs are protected."""
    first_user.prepare(settings)

    credential = load(settings.client_environment()).credential

    assert credential is not None
    assert credential.name == "rene"
    assert credential.headers(settings.url("orders"))


def test_later_starts_create_nothing_and_show_no_password(settings: Settings) -> None:
    """They show where the password is saved, as long as it is valid."""
    password = first_user.prepare(settings)
    before = settings.access_file.read_bytes()

    assert first_user.prepare(settings) is None

    assert settings.access_file.read_bytes() == before
    lines = "\n".join(first_user.sign_in(settings))
    assert str(password) not in lines
    assert f"as rene; the password is in {settings.first_user_file}" in lines


def test_a_changed_password_is_not_said_to_be_in_the_file(settings: Settings) -> None:
    """An outdated file would mislead."""
    first_user.prepare(settings)
    other = passwords.hash_password("another password")
    AccessStore(settings.access_file).change(
        lambda file: accounts.with_changed_user(file, "rene", password_hash=other)
    )

    lines = "\n".join(first_user.sign_in(settings))

    assert str(settings.first_user_file) not in lines
    assert "as rene; `orderflow users password NAME`" in lines


def test_existing_users_are_enough(settings: Settings) -> None:
    """If users were added before the first run, no other one is created."""
    hashed = passwords.hash_password("alice's password")
    AccessStore(settings.access_file).change(
        lambda file: accounts.with_user(file, "alice", [Role.VIEWER], hashed)
    )

    assert first_user.prepare(settings) is None

    assert [user.name for user in held(settings).users] == ["alice"]
    assert len(held(settings).tokens) == 1
    assert not settings.first_user_file.exists()


def test_a_removed_token_is_created_again(settings: Settings) -> None:
    """The command must have a valid token."""
    first_user.prepare(settings)
    former = settings.token_file.read_text()
    AccessStore(settings.access_file).change(lambda file: file.model_copy(update={"tokens": ()}))

    first_user.prepare(settings)

    assert settings.token_file.read_text() != former
    assert [token.sha256 for token in held(settings).tokens] == [
        token_digest(settings.token_file.read_text().strip())
    ]


@pytest.mark.parametrize("name", ["", " ", "a\x00b"])
def test_a_user_without_a_valid_name_is_admin(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The machine may allow user names that are not valid here."""
    monkeypatch.setattr(getpass, "getuser", lambda: name)

    first_user.prepare(settings)

    assert held(settings).users[0].name == "admin"


def test_an_unusable_access_file_stops_the_start_with_a_sentence(settings: Settings) -> None:
    """A broken file must not be replaced, and others may have read one that is readable to all."""
    first_user.prepare(settings)
    settings.token_file.chmod(0o644)
    with pytest.raises(PlatformError, match="chmod 600"):
        first_user.prepare(settings)

    write_private(settings.access_file, "{")
    with pytest.raises(PlatformError, match=r"access\.json: the file: Invalid JSON"):
        first_user.prepare(settings)
    assert "nobody can sign in: " in "\n".join(first_user.sign_in(settings))


def test_the_access_file_can_be_named(tmp_path: Path) -> None:
    """Services and commands use the same file."""
    named = tmp_path / "elsewhere.json"
    settings = Settings.isolated(tmp_path / "home", ORDERFLOW_ACCESS_FILE=str(named))

    first_user.prepare(settings)

    assert named.exists()
    assert settings.service_environment()["ORDERFLOW_ACCESS_FILE"] == str(named)
    assert load(settings.client_environment()).credential is not None
