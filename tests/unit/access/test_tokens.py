"""Tokens: who may use the APIs, with sign-in required and without."""

import hmac

import httpx
import pytest

from fakes.guarded_app import Guarded
from orderflow_contracts.access import Role, new_token


def problem_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/things", "/nothing-here", "/docs", "/openapi.json", "/audit"])
async def test_a_closed_api_reveals_nothing_without_a_token(closed: Guarded, path: str) -> None:
    """Without a token, existing and unknown things get the same answer."""
    response = await closed.client().get(path)

    assert problem_of(response) == (401, "SIGN_IN_NEEDED")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_health_checks_need_no_token_or_host_name(closed: Guarded) -> None:
    """A probe may use any host name and any token."""
    for headers in ({}, {"Host": "10.1.2.3:8001"}, bearer("wrong")):
        assert (await closed.client().get("/healthz", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "text", ["ofl_wrong", "", "ofl_ö", pytest.param(new_token(), id="unknown"), "a" * 5000]
)
async def test_a_wrong_token_is_refused_everywhere(
    closed: Guarded, opened: Guarded, text: str
) -> None:
    """It is refused even where no token is needed, since the caller meant to be identified."""
    for service in (closed, opened):
        headers = {b"Authorization": f"Bearer {text}".encode()}
        response = await service.client().get("/things", headers=headers)
        assert problem_of(response) == (401, "SIGN_IN_NEEDED")


async def test_only_bearer_tokens_count(closed: Guarded) -> None:
    """Basic credentials and a token in the URL are ignored."""
    token = closed.people.give_token("ci", Role.OPERATOR)
    for headers in (
        {"Authorization": f"Basic {token}"},
        {"Authorization": token},
        {"Cookie": token},
    ):
        assert (await closed.client().get("/things", headers=headers)).status_code == 401
    assert (await closed.client().get(f"/things?token={token}")).status_code == 401


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.VIEWER, {"GET /things"}),
        (Role.APPROVER, {"GET /things", "POST /decide"}),
        (Role.OPERATOR, {"GET /things", "POST /things/t", "POST /orders", "GET /audit"}),
    ],
)
async def test_each_role_has_its_permissions(closed: Guarded, role: Role, may: set[str]) -> None:
    """Other requests get 403, and pages accept no tokens."""
    headers = bearer(closed.people.give_token("ci", role))
    client = closed.client(headers=headers)
    for call in ("GET /things", "POST /things/t", "POST /orders", "POST /decide", "GET /audit"):
        method, path = call.split()
        response = await client.request(method, path)
        if call in may:
            assert response.status_code == 200, (call, response.text)
        else:
            assert problem_of(response) == (403, "NOT_ALLOWED"), call
    assert problem_of(await client.get("/")) == (401, "SIGN_IN_NEEDED")
    assert problem_of(await client.post("/pages/t")) == (401, "SIGN_IN_NEEDED")


async def test_several_roles_add_up(closed: Guarded) -> None:
    """Two roles together have the permissions of both."""
    headers = bearer(closed.people.give_token("ann", Role.OPERATOR, Role.APPROVER))
    client = closed.client(headers=headers)

    assert (await client.post("/decide")).json() == "ann token"
    assert (await client.post("/things/t")).status_code == 200


async def test_a_revoked_token_is_refused_at_once(closed: Guarded) -> None:
    """The file is checked for every request."""
    token = closed.people.give_token("ci", Role.OPERATOR)
    client = closed.client(headers=bearer(token))
    assert (await client.get("/things")).status_code == 200

    del closed.people.tokens[token]
    closed.people.write()

    assert (await client.get("/things")).status_code == 401


async def test_an_open_api_needs_no_token(opened: Guarded) -> None:
    """On loopback all API requests run as `local`; pages still need a session."""
    client = opened.client()
    assert (await client.get("/things")).status_code == 200
    assert (await client.post("/things/t")).status_code == 200
    assert (await client.post("/decide")).json() == "local open"
    assert (await client.get("/audit")).status_code == 200
    assert (await client.get("/")).status_code == 401


async def test_a_token_counts_on_an_open_api(opened: Guarded) -> None:
    """The caller gets the token's name and roles, and no others."""
    client = opened.client(headers=bearer(opened.people.give_token("ann", Role.APPROVER)))

    assert (await client.post("/decide")).json() == "ann token"
    assert (await client.post("/things/t")).status_code == 403


async def test_digests_are_compared_in_constant_time(
    closed: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every token of the file is compared, in constant time."""
    compared: list[tuple[str, str]] = []
    original = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return original(one, other)

    tokens = [closed.people.give_token(f"ci-{number}", Role.VIEWER) for number in range(3)]
    monkeypatch.setattr("orderflow_hosting.access.reader.hmac.compare_digest", compare)

    assert (await closed.client(headers=bearer(tokens[0])).get("/things")).status_code == 200

    assert len(compared) == 3
    assert not any(token in pair for pair in compared for token in tokens)
