"""A proxy that signs people in: when its word counts, and for what."""

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
    """Serve behind a proxy, with closed APIs."""
    async with guarded(
        tmp_path,
        ORDERFLOW_APIS_CLOSED="true",
        ORDERFLOW_PROXY_ADDRESSES="10.0.0.7, 192.168.0.0/16",
        ORDERFLOW_PROXY_GROUPS=GROUPS,
    ) as running:
        yield running


def named(name: str, groups: str | None = "shop") -> dict[str, str]:
    told = {"X-Auth-Request-User": name}
    return told if groups is None else {**told, "X-Auth-Request-Groups": groups}


def status(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"] if response.status_code >= 400 else ""


@pytest.mark.parametrize("peer", [PROXY, "192.168.3.4", "::ffff:10.0.0.7"])
async def test_the_proxys_word_counts(service: Guarded, peer: str) -> None:
    """Who it names is let in, with the roles of the groups, and may send forms."""
    browser = service.client(peer, headers=named("ann@shop.example"))

    page = await browser.get("/")
    csrf = csrf_of(page)
    response = await browser.post("/pages/t", data={"csrf": csrf, "words": "x"})

    assert page.status_code == response.status_code == 200
    assert "ann@shop.example" in page.text
    assert service.done == ["ann@shop.example t x"]
    assert (await service.trail())[-1][:2] == ("ann@shop.example", "thing.change")


@pytest.mark.parametrize("peer", ["10.0.0.8", "127.0.0.1", "::1"])
async def test_nobody_elses_word_counts(service: Guarded, peer: str) -> None:
    """The header of one who is not the proxy is as if it were not there."""
    headers = {**named("ann"), "X-Forwarded-For": PROXY}
    browser = service.client(peer, headers=headers)

    for path in ("/", "/things"):
        assert status(await browser.get(path)) == (401, "SIGN_IN_NEEDED")


async def test_without_addresses_no_header_counts(closed: Guarded) -> None:
    """A proxy is trusted only where it is configured."""
    browser = closed.client(headers=named("ann"))

    assert status(await browser.get("/")) == (401, "SIGN_IN_NEEDED")


@pytest.mark.parametrize("name", ["X-Auth-Request-User", "X-Auth-Request-Groups"])
async def test_a_header_that_is_there_twice_is_refused(service: Guarded, name: str) -> None:
    """One of the two was sent by the browser, and passed on."""
    headers = [*named("ann").items(), (name, "shop")]

    response = await service.client(PROXY).get("/", headers=headers)

    assert status(response) == (403, "NOT_ALLOWED")


@pytest.mark.parametrize("name", [b"a" * 129, b"a\tb", b"\xff"])
async def test_a_header_that_holds_no_name_is_refused(service: Guarded, name: bytes) -> None:
    """What could not be written to the trail lets nobody in."""
    response = await service.client(PROXY).get("/", headers={b"X-Auth-Request-User": name})

    assert status(response) == (403, "NOT_ALLOWED")


async def test_a_name_may_have_any_letters(service: Guarded) -> None:
    """Headers are read as UTF-8."""
    headers = {b"X-Auth-Request-User": "Zoë".encode(), b"X-Auth-Request-Groups": b"shop"}

    response = await service.client(PROXY, headers=headers).get("/")

    assert "Zoë" in response.text


@pytest.mark.parametrize("groups", [None, "", "visitors", "Shop"])
async def test_someone_without_a_known_group_may_do_nothing(
    service: Guarded, groups: str | None
) -> None:
    """The proxy tells who it is; the groups tell what they may."""
    browser = service.client(PROXY, headers=named("ann", groups))

    for path in ("/", "/things"):
        assert status(await browser.get(path)) == (403, "NOT_ALLOWED")


async def test_groups_become_roles(service: Guarded) -> None:
    """Several groups add up; each role may do what it may elsewhere."""
    viewer = service.client(PROXY, headers=named("vic", "staff, unknown"))
    csrf = csrf_of(await viewer.get("/"))
    refused = await viewer.post("/pages/t", data={"csrf": csrf, "words": "x"})
    assert status(refused) == (403, "NOT_ALLOWED")

    both = service.client(PROXY, headers=named("ann", "approvers,shop"))
    csrf = csrf_of(await both.get("/"))
    assert (await both.post("/pages/t", data={"csrf": csrf, "words": "x"})).status_code == 200


async def test_a_session_belongs_to_the_name_it_was_begun_with(service: Guarded) -> None:
    """When the proxy names somebody else, an earlier form is worth nothing."""
    browser = service.client(PROXY)
    csrf = csrf_of(await browser.get("/", headers=named("ann")))
    data = {"csrf": csrf, "words": "x"}

    refused = await browser.post("/pages/t", data=data, headers=named("bob"))
    assert status(refused) == (403, "CSRF_FAILED")

    page = await browser.get("/", headers=named("bob"))
    assert "bob" in page.text
    assert csrf_of(page) != csrf


async def test_a_proxys_session_is_nothing_without_the_proxy(service: Guarded) -> None:
    """Its cookie alone does not let anybody in: not from the proxy, not from elsewhere."""
    browser = service.client(PROXY)
    await browser.get("/", headers=named("ann"))
    cookies = {COOKIE: browser.cookies[COOKIE]}

    for peer in (PROXY, "127.0.0.1"):
        response = await service.client(peer, cookies=cookies).get("/")
        assert status(response) == (401, "SIGN_IN_NEEDED")


async def test_a_session_is_begun_once(service: Guarded) -> None:
    """Later pages use the session that is there."""
    browser = service.client(PROXY, headers=named("ann"))

    first = csrf_of(await browser.get("/"))

    again = await browser.get("/")
    assert csrf_of(again) == first
    assert "Set-Cookie" not in again.headers


async def test_a_person_behind_the_proxy_reads_apis_and_changes_none(service: Guarded) -> None:
    """What a browser is let in by must not be enough to change something without a form."""
    browser = service.client(PROXY, headers=named("ann"))

    assert (await browser.get("/things")).status_code == 200
    assert status(await browser.post("/things/t")) == (401, "SIGN_IN_NEEDED")


async def test_a_program_may_come_through_the_proxy(service: Guarded) -> None:
    """A token counts there as elsewhere; the proxy's own, of another kind, is not looked at."""
    token = service.people.give_token("ci", Role.OPERATOR)
    own = {"Authorization": f"Bearer {token}"}
    others = {**named("ann"), "Authorization": "Bearer eyJhbGciOi"}

    assert (await service.client(PROXY, headers=own).post("/things/t")).status_code == 200
    assert (await service.client(PROXY, headers=others).get("/")).status_code == 200


async def test_an_open_api_is_not_open_through_a_proxy(tmp_path: Path) -> None:
    """Who comes through it is somebody elsewhere, and no program of this machine."""
    async with guarded(tmp_path, ORDERFLOW_PROXY_ADDRESSES="127.0.0.1") as service:
        assert status(await service.client().post("/things/t")) == (401, "SIGN_IN_NEEDED")
        assert (await service.client("::1").post("/things/t")).status_code == 200
