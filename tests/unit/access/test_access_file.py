"""The access file: what it may contain, and what happens when it changes or breaks."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fakes.guarded_app import HASH, Guarded
from orderflow_contracts.access import AccessFile, Role, new_token, token_digest
from orderflow_hosting.access.reader import AccessFileBroken, AccessReader

USER: dict[str, Any] = {"name": "ann", "roles": ["operator"], "password_hash": HASH}
TOKEN: dict[str, Any] = {
    "name": "ci",
    "roles": ["viewer"],
    "sha256": token_digest("ofl_x"),
    "created_at": "2026-03-01T12:00:00Z",
}


def test_a_file_is_read_and_written() -> None:
    """Roles are sorted and without duplicates; unknown ones are left out."""
    user = {**USER, "roles": ["operator", "approver", "operator"], "colour": "red"}
    file = AccessFile.model_validate({"users": [user], "tokens": [TOKEN]})

    written = json.loads(file.model_dump_json())

    assert written["users"] == [{**USER, "roles": ["approver", "operator"]}]
    assert written["tokens"] == [TOKEN]


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ({"users": [{**USER, "name": ""}]}, "users.0.name"),
        ({"users": [{**USER, "name": " ann"}]}, "users.0.name"),
        ({"users": [{**USER, "name": "a\nn"}]}, "users.0.name"),
        ({"users": [{**USER, "roles": []}]}, "users.0.roles"),
        ({"users": [{**USER, "roles": ["admin"]}]}, "users.0.roles.0"),
        ({"users": [{**USER, "password_hash": "secret"}]}, "users.0.password_hash"),
        ({"users": [USER, USER]}, "ann is listed more than once"),
        ({"tokens": [{**TOKEN, "sha256": "ofl_x"}]}, "tokens.0.sha256"),
        ({"tokens": [{**TOKEN, "created_at": "today"}]}, "tokens.0.created_at"),
        ({"tokens": [TOKEN, TOKEN]}, "sha256"),
        ([], "body"),
    ],
)
def test_a_broken_file_is_refused_and_the_field_is_named(
    tmp_path: Path, file: Any, field: str
) -> None:
    """The service does not start; the message shows neither hash nor token."""
    path = tmp_path / "access.json"
    path.write_text(json.dumps(file))

    with pytest.raises(AccessFileBroken) as refusal:
        AccessReader(path)

    assert field in str(refusal.value)
    assert HASH not in str(refusal.value)


@pytest.mark.parametrize("content", [None, "", "{", "\ud800"])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: str | None) -> None:
    """It is missing, empty, truncated or not text."""
    path = tmp_path / "access.json"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogatepass"))

    with pytest.raises(AccessFileBroken, match=r"access\.json"):
        AccessReader(path)


def test_without_a_file_there_are_no_users() -> None:
    """On loopback a service may run without users."""
    reader = AccessReader(None)

    assert reader.user("ann") is None
    assert reader.token(new_token()) is None


async def test_a_file_that_breaks_later_is_ignored(
    closed: Guarded, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The former users keep their access; each change is logged in one line with the reason."""
    token = closed.people.give_token("ci", Role.VIEWER)
    client = closed.client(headers={"Authorization": f"Bearer {token}"})
    assert (await client.get("/things")).status_code == 200

    for broken in ('{"users": [{"name": "eve"}]}', "{"):
        closed.people.replace(broken)
        for _ in range(3):
            assert (await client.get("/things")).status_code == 200
    closed.people.path.unlink()
    assert (await client.get("/things")).status_code == 200

    log = caplog.text + capsys.readouterr().out
    assert log.count("access_file_broken") == 3
    assert "users.0.roles" in log

    closed.people.tokens.clear()
    closed.people.write()
    assert (await client.get("/things")).status_code == 401


def test_a_token_is_long_and_random() -> None:
    """It has 256 random bits, and a prefix that shows it is Orderflow's."""
    tokens = {new_token() for _ in range(50)}

    assert len(tokens) == 50
    assert all(token.startswith("ofl_") and len(token) == 47 for token in tokens)


def test_the_repr_of_a_file_has_no_hash() -> None:
    """Logs and error pages may show objects."""
    file = AccessFile.model_validate({"users": [USER], "tokens": [TOKEN]})

    assert HASH not in repr(file)
    assert TOKEN["sha256"] not in repr(file)


def test_a_loaded_file_cannot_be_changed() -> None:
    """The object is immutable."""
    file = AccessFile()

    with pytest.raises(ValidationError):
        file.users = ()  # type: ignore[misc]
