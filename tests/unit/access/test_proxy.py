"""A proxy that signs people in: when its headers are trusted, and what they allow."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from fakes.guarded_app import Guarded, csrf_of, guarded
from orderflow_contracts.access import Role

PROXY = "10.0.0.7"
GROUPS = '{"approvers": ["approver"], "staff": ["viewer"], "shop": ["operator", "viewer"]}'
COOKIE = "orderflow_orders_1_session"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Guarded]:
    """Serve behind a proxy, with APIs that require sign-in."""
    async with guarded(
        tmp_path,
        ORDERFLOW_APIS_CLOSED="true",
        ORDERFLOW_PROXY_ADDRESSES="10.0.0.7, 192.168.0.0/16",
        ORDERFLOW_PROXY_GROUPS=GROUPS,
    ) as running:
        yield running


def named(name: str, groups: str | None = "shop") -> dict[str, str]:
    headers = {"X-Auth-Request-User": name}
    return headers if groups is None else {**headers, "X-Auth-Request-Groups": groups}


def status(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"] if response.status_code >= 400 else ""


@pytest.mark.parametrize("peer", [PROXY, "192.168.3.4", "::ffff:10.0.0.7"])
async def test_the_proxys_header_signs_a_person_in(service: Guarded, peer: str) -> None:
    """The named person has the roles of the groups, and may send forms."""
    browser = service.client(peer, headers=named("ann@shop.example"))

    page = await browser.get("/")
    csrf = csrf_of(page)
    response = await browser.post("/pages/t", data={"csrf": csrf, "words": "x"})

    assert page.status_code == response.status_code == 200
    assert "ann@shop.example" in page.text
    assert service.done == ["ann@shop.example t x"]
    assert (await service.trail())[-1][:2] == ("ann@shop.example", "thing.change")


@pytest.mark.parametrize("peer", ["10.0.0.8", "127.0.0.1", "::1"])
async def test_a_header_from_another_address_is_ignored(service: Guarded, peer: str) -> None:
    """A sender that is not the proxy is treated as if it had sent no header."""
    headers = {**named("ann"), "X-Forwarded-For": PROXY}
    browser = service.client(peer, headers=headers)

    for path in ("/", "/things"):
        assert status(await browser.get(path)) == (401, "SIGN_IN_NEEDED")


async def test_without_proxy_addresses_every_header_is_ignored(closed: Guarded) -> None:
    """A proxy is trusted only where it is configured."""
    browser = closed.client(headers=named("ann"))

    assert status(await browser.get("/")) == (401, "SIGN_IN_NEEDED")


@pytest.mark.parametrize("name", ["X-Auth-Request-User", "X-Auth-Request-Groups"])
async def test_a_repeated_header_is_refused(service: Guarded, name: str) -> None:
    """One of the two came from the browser and was passed on."""
    headers = [*named("ann").items(), (name, "shop")]

    response = await service.client(PROXY).get("/", headers=headers)

    assert status(response) == (403, "NOT_ALLOWED")


@pytest.mark.parametrize("name", [b"a" * 129, b"a\tb", b"\xff"])
async def test_a_header_without_a_valid_name_is_refused(service: Guarded, name: bytes) -> None:
    """A name that cannot be recorded in the audit trail is not let in."""
    response = await service.client(PROXY).get("/", headers={b"X-Auth-Request-User": name})

    assert status(response) == (403, "NOT_ALLOWED")


async def test_a_name_may_have_any_letters(service: Guarded) -> None:
    """Headers are decoded as UTF-8."""
    headers = {b"X-Auth-Request-User": "Zoë".encode(), b"X-Auth-Request-Groups": b"shop"}

    response = await service.client(PROXY, headers=headers).get("/")

    assert "Zoë" in response.text


@pytest.mark.parametrize("groups", [None, "", "visitors", "Shop"])
async def test_someone_without_a_known_group_may_do_nothing(
    service: Guarded, groups: str | None
) -> None:
    """The proxy gives the name; only groups give permissions."""
    browser = service.client(PROXY, headers=named("ann", groups))

    for path in ("/", "/things"):
        assert status(await browser.get(path)) == (403, "NOT_ALLOWED")


async def test_groups_become_roles(service: Guarded) -> None:
    """Roles of several groups add up; each role has its usual permissions."""
    viewer = service.client(PROXY, headers=named("vic", "staff, unknown"))
    csrf = csrf_of(await viewer.get("/"))
    refused = await viewer.post("/pages/t", data={"csrf": csrf, "words": "x"})
    assert status(refused) == (403, "NOT_ALLOWED")

    both = service.client(PROXY, headers=named("ann", "approvers,shop"))
    csrf = csrf_of(await both.get("/"))
    assert (await both.post("/pages/t", data={"csrf": csrf, "words": "x"})).status_code == 200


async def test_a_session_belongs_to_the_name_it_started_with(service: Guarded) -> None:
    """When the proxy names another person, forms of the earlier session are refused."""
    browser = service.client(PROXY)
    csrf = csrf_of(await browser.get("/", headers=named("ann")))
    data = {"csrf": csrf, "words": "x"}

    refused = await browser.post("/pages/t", data=data, headers=named("bob"))
    assert status(refused) == (403, "CSRF_FAILED")

    page = await browser.get("/", headers=named("bob"))
    assert "bob" in page.text
    assert csrf_of(page) != csrf


async def test_a_proxy_sessions_cookie_alone_signs_nobody_in(service: Guarded) -> None:
    """It does not, whether it comes from the proxy or from elsewhere."""
    browser = service.client(PROXY)
    await browser.get("/", headers=named("ann"))
    cookies = {COOKIE: browser.cookies[COOKIE]}

    for peer in (PROXY, "127.0.0.1"):
        response = await service.client(peer, cookies=cookies).get("/")
        assert status(response) == (401, "SIGN_IN_NEEDED")


async def test_a_session_is_started_once(service: Guarded) -> None:
    """Later pages use the existing session."""
    browser = service.client(PROXY, headers=named("ann"))

    first = csrf_of(await browser.get("/"))

    again = await browser.get("/")
    assert csrf_of(again) == first
    assert "Set-Cookie" not in again.headers


async def test_a_person_behind_the_proxy_can_read_apis_but_not_change(service: Guarded) -> None:
    """A browser's credentials must not suffice to change something without a form."""
    browser = service.client(PROXY, headers=named("ann"))

    assert (await browser.get("/things")).status_code == 200
    assert status(await browser.post("/things/t")) == (401, "SIGN_IN_NEEDED")


async def test_a_program_may_use_its_token_through_the_proxy(service: Guarded) -> None:
    """Orderflow's token counts; the proxy's own authorization header is ignored."""
    token = service.people.give_token("ci", Role.OPERATOR)
    own = {"Authorization": f"Bearer {token}"}
    others = {**named("ann"), "Authorization": "Bearer eyJhbGciOi"}

    assert (await service.client(PROXY, headers=own).post("/things/t")).status_code == 200
    assert (await service.client(PROXY, headers=others).get("/")).status_code == 200


async def test_an_open_api_is_not_open_through_a_proxy(tmp_path: Path) -> None:
    """Requests through the proxy come from elsewhere, not from programs on this machine."""
    async with guarded(tmp_path, ORDERFLOW_PROXY_ADDRESSES="127.0.0.1") as service:
        assert status(await service.client().post("/things/t")) == (401, "SIGN_IN_NEEDED")
        assert (await service.client("::1").post("/things/t")).status_code == 200
