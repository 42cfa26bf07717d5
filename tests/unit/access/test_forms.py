"""Forms: what a page's own form must send, and what is refused from other sites."""

import httpx
import pytest

from fakes.guarded_app import Guarded, csrf_of
from orderflow_contracts.access import Role

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://orders:8003"},
    {"Origin": "http://[bad"},
    {"Origin": "http://orders", "Sec-Fetch-Site": "cross-site"},
]
OWN: list[dict[str, str]] = [
    {},
    {"Origin": "http://orders", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://orders:80"},
    {"Origin": "https://orders"},
    {"Sec-Fetch-Site": "none"},
]


@pytest.fixture
async def browser(opened: Guarded) -> httpx.AsyncClient:
    """Sign in as an operator."""
    opened.people.add("ann", Role.OPERATOR)
    return await opened.signed_in("ann")


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_a_form_with_the_sessions_token_is_accepted(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """The token may be a field, or a header set by the page's script."""
    csrf = csrf_of(await browser.get("/"))

    as_field = await browser.post("/pages/t", data={"csrf": csrf, "words": "one"})
    as_header = await browser.post(
        "/pages/t", data={"words": "two"}, headers={"X-CSRF-Token": csrf}
    )

    assert (as_field.status_code, as_header.status_code) == (200, 200)
    assert opened.done == ["ann t one", "ann t two"]


async def test_a_form_without_the_sessions_token_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """Nothing is done, and nothing is in the audit trail."""
    before = await opened.trail()
    for csrf in (None, "", "wrong", "ö", "%ff"):
        data = {"words": "x"} | ({"csrf": csrf} if csrf is not None else {})
        assert code_of(await browser.post("/pages/t", data=data)) == (403, "CSRF_FAILED"), csrf

    assert opened.done == []
    assert await opened.trail() == before


async def test_another_sessions_form_token_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """This holds even for another session of the same person."""
    other = await opened.signed_in("ann")
    csrf = csrf_of(await other.get("/"))

    response = await browser.post("/pages/t", data={"csrf": csrf, "words": "x"})

    assert code_of(response) == (403, "CSRF_FAILED")


async def test_a_form_may_be_sent_as_multipart(browser: httpx.AsyncClient) -> None:
    """Scripts may send multipart forms; an uploaded file is not accepted as the token."""
    csrf = csrf_of(await browser.get("/"))

    taken = await browser.post("/pages/t", files={"csrf": (None, csrf), "words": (None, "x")})
    file = await browser.post("/pages/t", files={"csrf": ("f", csrf), "words": (None, "x")})

    assert taken.status_code == 200
    assert code_of(file) == (403, "CSRF_FAILED")


async def test_a_request_from_another_site_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """By form or script, with or without a cookie, to pages and to open APIs."""
    data = {"csrf": csrf_of(await browser.get("/")), "words": "x"}
    for headers in FOREIGN:
        for path in ("/pages/t", "/things/t", "/sign-in", "/sign-out"):
            response = await browser.post(path, data=data, headers=headers)
            assert code_of(response) == (403, "CROSS_SITE"), (path, headers)

    assert opened.done == []


async def test_requests_of_own_pages_and_programs_are_accepted(browser: httpx.AsyncClient) -> None:
    """They are also accepted behind a proxy that terminates TLS."""
    data = {"csrf": csrf_of(await browser.get("/")), "words": "x"}
    for headers in OWN:
        response = await browser.post("/pages/t", data=data, headers=headers)
        assert response.status_code == 200, (headers, response.text)


async def test_a_link_from_another_site_is_followed(browser: httpx.AsyncClient) -> None:
    """Only requests that may change something are refused."""
    response = await browser.get("/", headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 200
