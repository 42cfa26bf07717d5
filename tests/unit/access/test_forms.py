"""Forms: what a page's form needs, and what comes from elsewhere."""

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


async def test_a_form_of_the_sessions_own_page_is_taken(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """Its text may come as a field, or as a header from the page's script."""
    csrf = csrf_of(await browser.get("/"))

    as_field = await browser.post("/pages/t", data={"csrf": csrf, "words": "one"})
    as_header = await browser.post(
        "/pages/t", data={"words": "two"}, headers={"X-CSRF-Token": csrf}
    )

    assert (as_field.status_code, as_header.status_code) == (200, 200)
    assert opened.done == ["ann t one", "ann t two"]


async def test_a_form_without_the_sessions_text_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """Nothing is done, and nothing is in the trail."""
    before = await opened.trail()
    for csrf in (None, "", "wrong", "ö", "%ff"):
        data = {"words": "x"} | ({"csrf": csrf} if csrf is not None else {})
        assert code_of(await browser.post("/pages/t", data=data)) == (403, "CSRF_FAILED"), csrf

    assert opened.done == []
    assert await opened.trail() == before


async def test_another_sessions_text_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """Not even the same person's other browser can lend it."""
    other = await opened.signed_in("ann")
    csrf = csrf_of(await other.get("/"))

    response = await browser.post("/pages/t", data={"csrf": csrf, "words": "x"})

    assert code_of(response) == (403, "CSRF_FAILED")


async def test_a_form_may_be_sent_as_multipart(browser: httpx.AsyncClient) -> None:
    """A form that a script sends may be of the other kind; a file is no text."""
    csrf = csrf_of(await browser.get("/"))

    taken = await browser.post("/pages/t", files={"csrf": (None, csrf), "words": (None, "x")})
    file = await browser.post("/pages/t", files={"csrf": ("f", csrf), "words": (None, "x")})

    assert taken.status_code == 200
    assert code_of(file) == (403, "CSRF_FAILED")


async def test_what_another_site_sends_is_refused(
    opened: Guarded, browser: httpx.AsyncClient
) -> None:
    """By a form or a script, with a cookie or without, on pages and on open APIs."""
    data = {"csrf": csrf_of(await browser.get("/")), "words": "x"}
    for headers in FOREIGN:
        for path in ("/pages/t", "/things/t", "/sign-in", "/sign-out"):
            response = await browser.post(path, data=data, headers=headers)
            assert code_of(response) == (403, "CROSS_SITE"), (path, headers)

    assert opened.done == []


async def test_what_the_own_pages_and_programs_send_is_taken(browser: httpx.AsyncClient) -> None:
    """Also behind a proxy that speaks TLS with the browser."""
    data = {"csrf": csrf_of(await browser.get("/")), "words": "x"}
    for headers in OWN:
        response = await browser.post("/pages/t", data=data, headers=headers)
        assert response.status_code == 200, (headers, response.text)


async def test_a_link_from_another_site_is_followed(browser: httpx.AsyncClient) -> None:
    """Only what may change something is refused."""
    response = await browser.get("/", headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 200
