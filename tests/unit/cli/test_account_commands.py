"""Commands about users and tokens: the access file they write, and what they print."""

import getpass
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes.command import Run
from orderflow_cli import passwords
from orderflow_cli.access_file import AccessStore
from orderflow_cli.accounts import with_token
from orderflow_contracts.access import (
    AccessFile,
    Role,
    new_token,
    token_digest,
)

PASSWORD = "correct horse battery"  # noqa: S105 - it opens nothing


def access_file(home: Path) -> AccessFile:
    return AccessStore(home / "access.json").read()


def add(run: Run, name: str, *options: str) -> None:
    outcome = run("users", "add", name, *options, "--password-stdin", typed=f"{PASSWORD}\n")
    assert outcome.code == 0, outcome.err


def test_a_user_is_added_with_roles_and_a_hash(run: Run, home: Path) -> None:
    """The file has a hash that verifies the password, and not the password itself."""
    add(run, "alice", "--role", "operator", "--role", "approver")

    (user,) = access_file(home).users
    assert (user.name, user.roles) == ("alice", (Role.APPROVER, Role.OPERATOR))
    assert passwords.matches(user.password_hash, PASSWORD)
    assert not passwords.matches(user.password_hash, PASSWORD + "!")
    assert PASSWORD not in (home / "access.json").read_text()


def test_the_default_role_is_viewer(run: Run, home: Path) -> None:
    """The default is the role with the fewest rights."""
    add(run, "carol")

    assert access_file(home).users[0].roles == (Role.VIEWER,)


def test_the_file_and_its_new_folder_are_private(run: Run, home: Path) -> None:
    """No other user on the machine can read or replace the file."""
    add(run, "alice")

    assert (home / "access.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in home.iterdir()) == ["access.json", "access.json.lock"]


def test_a_generated_password_is_alone_on_standard_output(run: Run, home: Path) -> None:
    """A script can read the password; messages go to standard error."""
    outcome = run("users", "add", "alice", "--generate")

    (password,) = outcome.lines
    assert len(password) >= 20
    assert passwords.matches(access_file(home).users[0].password_hash, password)
    assert password not in outcome.err


@pytest.mark.parametrize(
    ("typed", "again", "message"),
    [
        (PASSWORD, PASSWORD, None),
        (PASSWORD, PASSWORD + "!", "the two passwords differ"),
        ("too short", "too short", "12 to 256 characters, and this one has 9"),
    ],
)
def test_a_password_is_asked_for_twice(
    run: Run,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    again: str,
    message: str | None,
) -> None:
    """At a terminal there is no echo, and a typing error changes nothing."""
    answers = iter([typed, again])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(answers))
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("orderflow_cli.passwords.sys", terminal)

    outcome = run("users", "add", "alice")

    assert outcome.code == (0 if message is None else 1)
    assert message is None or message in outcome.err
    assert len(access_file(home).users) == (1 if message is None else 0)


def test_there_is_no_prompt_without_a_terminal(run: Run) -> None:
    """The error names the two alternatives."""
    outcome = run("users", "add", "alice")

    assert outcome.code == 1
    assert "--password-stdin" in outcome.err
    assert "--generate" in outcome.err


def test_password_options_are_mutually_exclusive(run: Run) -> None:
    """It would not be clear which password applies."""
    outcome = run("users", "add", "alice", "--generate", "--password-stdin", typed=PASSWORD)

    assert outcome.code == 2


@pytest.mark.parametrize("name", ["", " alice", "a\nb", "x" * 129])
def test_an_invalid_name_is_rejected(run: Run, home: Path, name: str) -> None:
    """The name is rejected before a password is generated."""
    for command in (("users", "add", name, "--generate"), ("tokens", "add", name, "--role=viewer")):
        outcome = run(*command)
        assert outcome.code == 1
        assert "is not a valid name" in outcome.err
        assert outcome.out == ""
    assert access_file(home) == AccessFile()


def test_a_name_is_taken_once(run: Run, home: Path) -> None:
    """Adding a user does not change an existing one."""
    add(run, "alice", "--role", "operator")
    before = (home / "access.json").read_bytes()

    outcome = run("users", "add", "alice", "--generate")

    assert outcome.code == 1
    assert "user alice already exists" in outcome.err
    assert (home / "access.json").read_bytes() == before


def test_password_and_roles_change_independently(run: Run, home: Path) -> None:
    """Each command changes one field of one user."""
    add(run, "alice", "--role", "operator")
    add(run, "bob")
    first = access_file(home)

    assert run("users", "password", "alice", "--password-stdin", typed="another one\n").code == 1
    changed = run("users", "password", "alice", "--generate")
    assert changed.code == 0
    second = access_file(home)
    assert passwords.matches(second.users[0].password_hash, changed.lines[0])
    assert second.users[0].roles == first.users[0].roles

    assert run("users", "roles", "alice", "--role", "viewer").code == 0
    third = access_file(home)
    assert third.users[0].roles == (Role.VIEWER,)
    assert third.users[0].password_hash == second.users[0].password_hash
    assert first.users[1] == second.users[1] == third.users[1]


def test_a_removed_user_leaves_the_others_and_the_tokens(run: Run, home: Path) -> None:
    """The output says that tokens with that name remain valid, and how to remove them."""
    add(run, "alice")
    add(run, "bob")
    run("tokens", "add", "alice", "--role", "viewer")

    outcome = run("users", "remove", "alice")

    assert outcome.code == 0
    assert "`orderflow tokens remove alice`" in outcome.err
    assert [user.name for user in access_file(home).users] == ["bob"]
    assert len(access_file(home).tokens) == 1


@pytest.mark.parametrize(
    "command",
    [("remove", "eve"), ("password", "eve", "--generate"), ("roles", "eve", "--role", "viewer")],
)
def test_an_unknown_user_cannot_be_changed(run: Run, command: tuple[str, ...]) -> None:
    """The error names the command that lists users."""
    outcome = run("users", *command)

    assert outcome.code == 1
    assert "there is no user eve; list them with `orderflow users list`" in outcome.err


def test_lists_show_no_secrets(run: Run, home: Path) -> None:
    """Neither a hash nor a digest is printed, as a table or as JSON."""
    add(run, "alice", "--role", "approver")
    secret = run("tokens", "add", "ci", "--role", "operator").lines[0]
    digest = token_digest(secret)

    users, tokens = run("users", "list"), run("tokens", "list")
    as_json = json.loads(run("users", "list", "--json").out)
    (token,) = json.loads(run("tokens", "list", "--json").out)["items"]

    assert "alice" in users.out
    assert "approver" in users.out
    assert as_json == {"items": [{"name": "alice", "roles": ["approver"]}]}
    assert (token["id"], token["name"], token["roles"]) == (digest[:8], "ci", ["operator"])
    printed = users.out + tokens.out + json.dumps(token)
    assert "argon2" not in printed
    assert digest not in printed
    assert secret not in printed + (home / "access.json").read_text()


def test_empty_lists_say_how_to_start(run: Run) -> None:
    """An empty list names the command that adds an entry."""
    assert "`orderflow users add`" in run("users", "list").out
    assert "`orderflow tokens add`" in run("tokens", "list").out


def test_a_token_is_printed_once_and_alone(run: Run, home: Path) -> None:
    """Standard output has only the token; the explanation is on standard error."""
    outcome = run("tokens", "add", "ci", "--role", "operator", "--role", "viewer")

    (secret,) = outcome.lines
    (token,) = access_file(home).tokens
    assert token.sha256 == token_digest(secret)
    assert token.roles == (Role.VIEWER, Role.OPERATOR)
    assert secret not in outcome.err
    assert "ORDERFLOW_TOKEN" in outcome.err


def test_a_token_needs_a_role(run: Run) -> None:
    """A token has no default role."""
    assert run("tokens", "add", "ci").code == 2


def test_tokens_are_removed_by_id_or_by_name(run: Run, home: Path) -> None:
    """A new token can be introduced before the old one is removed."""
    for name in ("ci", "ci", "alice", "alice"):
        run("tokens", "add", name, "--role", "viewer")
    first = access_file(home).tokens[0].sha256[:8]

    assert run("tokens", "remove", first).code == 0
    assert [token.name for token in access_file(home).tokens] == ["ci", "alice", "alice"]
    assert run("tokens", "remove", "alice").err.count("is no longer valid") == 2
    assert [token.name for token in access_file(home).tokens] == ["ci"]
    assert "there is no token alice" in run("tokens", "remove", "alice").err


def test_the_environment_can_name_another_file(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORDERFLOW_ACCESS_FILE is used, and a symbolic link stays a link."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    monkeypatch.setenv("ORDERFLOW_ACCESS_FILE", str(link))

    add(run, "alice")

    assert link.is_symlink()
    assert AccessStore(real).read().users[0].name == "alice"
    assert not (home / "access.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "the file: Invalid JSON"),
        ('{"users": [{"name": "alice", "roles": ["boss"]}]}', "users.0.roles.0: "),
        ('{"tokens": [{"name": "ci"}]}', "tokens.0.roles: Field required"),
    ],
)
def test_a_broken_file_is_named_and_not_overwritten(
    run: Run, home: Path, text: str, message: str
) -> None:
    """A person must repair it, because it may be the only copy."""
    home.mkdir()
    (home / "access.json").write_text(text)

    outcome = run("users", "add", "bob", "--generate")

    assert outcome.code == 1
    assert str(home / "access.json") in outcome.err
    assert message in outcome.err
    assert (home / "access.json").read_text() == text


def test_an_unwritable_folder_is_reported(run: Run, home: Path) -> None:
    """The error is one sentence that names the path."""
    home.write_text("a file, where a folder should be")

    outcome = run("users", "add", "bob", "--generate")

    assert outcome.code == 1
    assert str(home) in outcome.err
    assert "Traceback" not in outcome.err


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    """Each change is based on the result of the previous one."""
    names = [f"ci-{number}" for number in range(24)]

    def add_token(name: str) -> None:
        store = AccessStore(tmp_path / "access.json")
        store.change(lambda file: with_token(file, name, [Role.VIEWER], new_token()))

    threads = [threading.Thread(target=add_token, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = AccessStore(tmp_path / "access.json").read().tokens
    assert sorted(token.name for token in found) == sorted(names)
