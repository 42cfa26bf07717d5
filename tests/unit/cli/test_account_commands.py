"""Users and tokens by command: who is in the file afterwards, and what was shown to whom."""

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


def held(home: Path) -> AccessFile:
    return AccessStore(home / "access.json").read()


def add(run: Run, name: str, *options: str) -> None:
    outcome = run("users", "add", name, *options, "--password-stdin", typed=f"{PASSWORD}\n")
    assert outcome.code == 0, outcome.err


def test_a_user_is_added_with_roles_and_a_hash(run: Run, home: Path) -> None:
    """What is kept lets the password be checked, and does not hold it."""
    add(run, "alice", "--role", "operator", "--role", "approver")

    (user,) = held(home).users
    assert (user.name, user.roles) == ("alice", (Role.APPROVER, Role.OPERATOR))
    assert passwords.fits(user.password_hash, PASSWORD)
    assert not passwords.fits(user.password_hash, PASSWORD + "!")
    assert PASSWORD not in (home / "access.json").read_text()


def test_without_a_role_a_user_may_look(run: Run, home: Path) -> None:
    """The least role is the default one."""
    add(run, "carol")

    assert held(home).users[0].roles == (Role.VIEWER,)


def test_the_file_and_its_new_folder_are_this_users_alone(run: Run, home: Path) -> None:
    """Nobody else on the machine reads hashes, or puts another file in its place."""
    add(run, "alice")

    assert (home / "access.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in home.iterdir()) == ["access.json", "access.json.lock"]


def test_a_made_password_is_all_that_standard_output_holds(run: Run, home: Path) -> None:
    """A script can take it; people read the rest beside it."""
    outcome = run("users", "add", "alice", "--generate")

    (password,) = outcome.lines
    assert len(password) >= 20
    assert passwords.fits(held(home).users[0].password_hash, password)
    assert password not in outcome.err


@pytest.mark.parametrize(
    ("typed", "again", "said"),
    [
        (PASSWORD, PASSWORD, None),
        (PASSWORD, PASSWORD + "!", "two different passwords"),
        ("too short", "too short", "12 to 256 characters, and this one 9"),
    ],
)
def test_a_password_is_asked_for_twice(
    run: Run,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    again: str,
    said: str | None,
) -> None:
    """At a terminal nothing is shown, and a slip changes nothing."""
    answers = iter([typed, again])
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: next(answers))
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("orderflow_cli.passwords.sys", terminal)

    outcome = run("users", "add", "alice")

    assert outcome.code == (0 if said is None else 1)
    assert said is None or said in outcome.err
    assert len(held(home).users) == (1 if said is None else 0)


def test_nobody_is_asked_where_there_is_no_terminal(run: Run) -> None:
    """A script learns of the two other ways."""
    outcome = run("users", "add", "alice")

    assert outcome.code == 1
    assert "--password-stdin" in outcome.err
    assert "--generate" in outcome.err


def test_two_ways_to_a_password_exclude_each_other(run: Run) -> None:
    """It would not be clear which one counts."""
    outcome = run("users", "add", "alice", "--generate", "--password-stdin", typed=PASSWORD)

    assert outcome.code == 2


@pytest.mark.parametrize("name", ["", " alice", "a\nb", "x" * 129])
def test_what_cannot_be_a_name_is_refused(run: Run, home: Path, name: str) -> None:
    """Before a password is asked for, in one sentence."""
    for command in (("users", "add", name, "--generate"), ("tokens", "add", name, "--role=viewer")):
        outcome = run(*command)
        assert outcome.code == 1
        assert "cannot be a name" in outcome.err
        assert outcome.out == ""
    assert held(home) == AccessFile()


def test_a_name_is_taken_once(run: Run, home: Path) -> None:
    """Adding does not change who is there."""
    add(run, "alice", "--role", "operator")
    before = (home / "access.json").read_bytes()

    outcome = run("users", "add", "alice", "--generate")

    assert outcome.code == 1
    assert "there is a user alice already" in outcome.err
    assert (home / "access.json").read_bytes() == before


def test_password_and_roles_change_alone(run: Run, home: Path) -> None:
    """Each command changes the one thing that it names, of the one user."""
    add(run, "alice", "--role", "operator")
    add(run, "bob")
    first = held(home)

    assert run("users", "password", "alice", "--password-stdin", typed="another one\n").code == 1
    changed = run("users", "password", "alice", "--generate")
    assert changed.code == 0
    second = held(home)
    assert passwords.fits(second.users[0].password_hash, changed.lines[0])
    assert second.users[0].roles == first.users[0].roles

    assert run("users", "roles", "alice", "--role", "viewer").code == 0
    third = held(home)
    assert third.users[0].roles == (Role.VIEWER,)
    assert third.users[0].password_hash == second.users[0].password_hash
    assert first.users[1] == second.users[1] == third.users[1]


def test_a_removed_user_leaves_the_others_and_the_tokens(run: Run, home: Path) -> None:
    """That tokens of the name go on to count is said, with what ends that."""
    add(run, "alice")
    add(run, "bob")
    run("tokens", "add", "alice", "--role", "viewer")

    outcome = run("users", "remove", "alice")

    assert outcome.code == 0
    assert "`orderflow tokens remove alice`" in outcome.err
    assert [user.name for user in held(home).users] == ["bob"]
    assert len(held(home).tokens) == 1


@pytest.mark.parametrize(
    "command",
    [("remove", "eve"), ("password", "eve", "--generate"), ("roles", "eve", "--role", "viewer")],
)
def test_who_is_not_there_cannot_be_changed(run: Run, command: tuple[str, ...]) -> None:
    """The error says what lists those who are."""
    outcome = run("users", *command)

    assert outcome.code == 1
    assert "there is no user eve; `orderflow users list`" in outcome.err


def test_lists_tell_no_secret(run: Run, home: Path) -> None:
    """Neither a hash nor a digest is shown, for people or for programs."""
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
    told = users.out + tokens.out + json.dumps(token)
    assert "argon2" not in told
    assert digest not in told
    assert secret not in told + (home / "access.json").read_text()


def test_empty_lists_say_how_to_begin(run: Run) -> None:
    """Whoever looks first learns the command."""
    assert "`orderflow users add`" in run("users", "list").out
    assert "`orderflow tokens add`" in run("tokens", "list").out


def test_a_token_is_shown_once_and_alone(run: Run, home: Path) -> None:
    """Standard output is the token; what it is for is said beside it."""
    outcome = run("tokens", "add", "ci", "--role", "operator", "--role", "viewer")

    (secret,) = outcome.lines
    (token,) = held(home).tokens
    assert token.sha256 == token_digest(secret)
    assert token.roles == (Role.VIEWER, Role.OPERATOR)
    assert secret not in outcome.err
    assert "ORDERFLOW_TOKEN" in outcome.err


def test_a_token_needs_a_role(run: Run) -> None:
    """What it is for is said by whoever makes it."""
    assert run("tokens", "add", "ci").code == 2


def test_tokens_go_by_id_or_all_of_a_name(run: Run, home: Path) -> None:
    """A new token can come into use before the old one goes."""
    for name in ("ci", "ci", "alice", "alice"):
        run("tokens", "add", name, "--role", "viewer")
    first = held(home).tokens[0].sha256[:8]

    assert run("tokens", "remove", first).code == 0
    assert [token.name for token in held(home).tokens] == ["ci", "alice", "alice"]
    assert run("tokens", "remove", "alice").err.count("counts no more") == 2
    assert [token.name for token in held(home).tokens] == ["ci"]
    assert "there is no token alice" in run("tokens", "remove", "alice").err


def test_a_file_that_is_named_is_the_one(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORDERFLOW_ACCESS_FILE leads elsewhere; its link stays a link."""
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    link.symlink_to(real)
    monkeypatch.setenv("ORDERFLOW_ACCESS_FILE", str(link))

    add(run, "alice")

    assert link.is_symlink()
    assert AccessStore(real).read().users[0].name == "alice"
    assert not (home / "access.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "the whole: Invalid JSON"),
        ('{"users": [{"name": "alice", "roles": ["boss"]}]}', "users.0.roles.0: "),
        ('{"tokens": [{"name": "ci"}]}', "tokens.0.roles: Field required"),
    ],
)
def test_a_broken_file_is_named_and_not_overwritten(
    run: Run, home: Path, text: str, said: str
) -> None:
    """A person must look: what is in it may be all that there is."""
    home.mkdir()
    (home / "access.json").write_text(text)

    outcome = run("users", "add", "bob", "--generate")

    assert outcome.code == 1
    assert str(home / "access.json") in outcome.err
    assert said in outcome.err
    assert (home / "access.json").read_text() == text


def test_a_folder_that_cannot_be_written_is_told(run: Run, home: Path) -> None:
    """A sentence, and no trace of a half-made file."""
    home.write_text("a file, where a folder should be")

    outcome = run("users", "add", "bob", "--generate")

    assert outcome.code == 1
    assert str(home) in outcome.err
    assert "Traceback" not in outcome.err


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each change is made of what the one before it left."""
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
