"""What the sites of all services share: escaping, headers, problem pages, loaded files."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request

from orderflow_contracts.access import Role
from orderflow_hosting import problems
from orderflow_hosting.access import Principal
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import MenuItem, Site
from orderflow_hosting.web.filters import dollars, duration, moment, words
from orderflow_hosting.web.site import STATIC

ROOT = Path(__file__).parents[3]
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
PART = {"HX-Request": "true"}
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(title="A site", openapi_url=None)
    problems.install(app)

    @app.get("/fails/{status}")
    async def fails(status: int) -> None:
        raise Problem(status, "SOME_CODE", f"it is {MARKUP}")

    Site("Test").install(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("status", [403, 404, 409, 422, 429, 500, 503])
async def test_a_browser_gets_a_problem_as_a_page(http: httpx.AsyncClient, status: int) -> None:
    """The page gives the reason as text, with the same status."""
    answer = await http.get(f"/fails/{status}", headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;" in answer.text
    assert MARKUP not in answer.text


async def test_a_program_gets_a_problem_as_json(http: httpx.AsyncClient) -> None:
    """Clients that do not ask for HTML get the problem document."""
    answer = await http.get("/fails/404")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "SOME_CODE"


async def test_a_failed_page_fragment_is_an_alert(http: httpx.AsyncClient) -> None:
    """It is shown where the page shows outcomes."""
    answer = await http.get("/fails/409", headers=PART)
    assert (answer.status_code, answer.headers["HX-Retarget"]) == (409, "#outcome")
    assert "<html" not in answer.text


@pytest.mark.parametrize(
    ("query", "back"), [("", "%2Ffails%2F401"), ("?a=b&c=d", "%2Ffails%2F401%3Fa%3Db%26c%3Dd")]
)
async def test_a_visitor_of_a_page_is_redirected_to_sign_in(
    http: httpx.AsyncClient, query: str, back: str
) -> None:
    """The redirect includes the page to return to."""
    answer = await http.get(f"/fails/401{query}", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={back}")


async def test_a_page_fragment_redirects_the_whole_page_to_sign_in(http: httpx.AsyncClient) -> None:
    """The return address is the page's, not the fragment's."""
    headers = {**PART, "HX-Current-URL": "http://127.0.0.1/board?x=1"}
    answer = await http.get("/fails/401", headers=headers)
    assert answer.headers["HX-Redirect"] == "/sign-in?next=%2Fboard%3Fx%3D1"


@pytest.mark.parametrize(
    ("host", "link"),
    [
        ("localhost:8001", "http://localhost:8003/"),
        ("127.0.0.1:8001", "http://127.0.0.1:8003/"),
        ("[::1]:8001", "http://[::1]:8003/"),
        ("shop.example", "http://127.0.0.1:8003/"),
        ("]bad", "http://127.0.0.1:8003/"),
    ],
)
def test_a_link_to_a_local_site_keeps_the_requests_host_name(host: str, link: str) -> None:
    """Sessions are tied to the host name."""
    assert menu_link("http://127.0.0.1:8003/", host) == link


@pytest.mark.parametrize("host", ["localhost:8001", "shop.example", ""])
def test_a_link_to_a_public_site_is_unchanged(host: str) -> None:
    """The configured URL is used."""
    assert menu_link("https://inbox.example/", host) == "https://inbox.example/"
    assert menu_link("/board/stock", host) == "/board/stock"


def menu_link(url: str, host: str) -> str:
    """Return the menu's link on a page that is requested under this host."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"host", host.encode())],
        "state": {"principal": Principal("ann", frozenset({Role.VIEWER}), "session")},
    }
    page = Site("Test", menu=[MenuItem("Other", url)]).page(
        Request(scope), "problem.html", problem=Problem(404, "X", "y")
    )
    found = re.search(r'<li><a href="([^"]*)">Other</a>', bytes(page.body).decode())
    assert found
    return found[1]


async def test_every_response_has_the_security_headers(http: httpx.AsyncClient) -> None:
    """This includes pages, documents, files and errors."""
    for path in ("/fails/409", "/static/orderflow.css", "/nowhere", "/openapi.json"):
        headers = (await http.get(path, headers=BROWSER)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


async def test_everything_a_page_loads_is_local(http: httpx.AsyncClient) -> None:
    """Each file is served by this site and may be cached for ever."""
    page = (await http.get("/fails/404", headers=BROWSER)).text
    loaded = re.findall(r'(?:<script[^>]* src|<link[^>]* href|<img[^>]* src)="([^"]+)"', page)
    assert len(loaded) >= 6
    for address in loaded:
        answer = await http.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)


async def test_the_api_documentation_loads_nothing_from_other_hosts(
    http: httpx.AsyncClient,
) -> None:
    """Its script and style are the project's own copies."""
    page = (await http.get("/docs")).text
    assert "http" not in page
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (await http.get(address)).status_code == 200
    assert (await http.get("/openapi.json")).json()["info"]["title"] == "A site"


def test_no_template_has_inline_script_or_style() -> None:
    """The content security policy would block them."""
    templates = list(ROOT.glob("*/src/**/templates/*.html")) + list(
        ROOT.glob("services/*/src/**/templates/*.html")
    )
    assert templates
    forbidden = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|\| *safe")
    for template in templates:
        assert not forbidden.search(template.read_text()), template


def test_vendored_files_match_their_lock() -> None:
    """None was edited, and none differs from its pinned version."""
    record = json.loads((STATIC / "vendor" / "vendored.json").read_text())
    pinned = json.loads((ROOT / "libraries" / "hosting" / "web" / "package.json").read_text())[
        "dependencies"
    ]
    assert {name: entry["version"] for name, entry in record.items()} == pinned
    hashes = {name: digest for entry in record.values() for name, digest in entry["files"].items()}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (STATIC / "vendor").iterdir()
        if path.name != "vendored.json"
    }
    assert found == hashes


@pytest.mark.parametrize(
    ("cents", "text"),
    [(0, "$0.00"), (5, "$0.05"), (123_456_78, "$123,456.78"), (-150, "-$1.50"), (None, "—")],
)
def test_cents_are_shown_as_dollars(cents: int | None, text: str) -> None:
    """Thousands are separated."""
    assert dollars(cents) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0123, "12 ms"),
        (3.21, "3.2 s"),
        (125, "2 min 5 s"),
        (3_600, "1 h 0 min"),
        (90_000, "1 d 1 h"),
        (None, "—"),
    ],
)
def test_durations_are_shown_in_their_two_largest_units(seconds: float | None, text: str) -> None:
    """From milliseconds to days."""
    assert duration(seconds) == text


def test_a_time_is_exact_for_scripts_and_readable_for_people() -> None:
    """Without the script people still see a readable time."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moment(at) == '<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04:05 UTC</time>'
    assert words("out_of_stock") == "out of stock"
