"""Sessions: how they start, how long they last, and what ends them."""

import html
import re
import uuid
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from fakes.guarded_app import HASH, PASSWORD, Guarded, csrf_of, guarded
from orderflow_contracts.access import Role

COOKIE = "orderflow_orders_1_session"
WAYS_ON = [
    ("/pages/t?x=1", "/pages/t?x=1"),
    ("https://evil.example/", "/"),
    ("//evil.example/", "/"),
    ("/\\evil.example/", "/"),
    ("/ok\r\nX: y", "/"),
    ("javascript:alert(1)", "/"),
    ("/sign-out", "/"),
    ("", "/"),
]


@pytest.fixture(autouse=True)
def ann(opened: Guarded) -> None:
    opened.people.add("ann", Role.OPERATOR)


async def is_in(browser: httpx.AsyncClient) -> bool:
    """Return whether the first page shows a signed-in user."""
    response = await browser.get("/")
    assert response.status_code in {200, 401}
    return response.status_code == 200


async def sign_in(browser: httpx.AsyncClient, **data: str) -> httpx.Response:
    return await browser.post("/sign-in", data={"name": "ann", "password": PASSWORD, **data})


async def test_a_session_starts_with_name_and_password(opened: Guarded) -> None:
    """Its cookie is SameSite=Lax and not readable by scripts."""
    response = await sign_in(opened.client())

    assert (response.status_code, response.headers["Location"]) == (303, "/")
    name, *attributes = response.headers["Set-Cookie"].split("; ")
    assert name.startswith(f"{COOKIE}=")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=28800", "Path=/", "SameSite=Lax"]
    assert "no-store" in response.headers["Cache-Control"]


async def test_only_a_digest_of_the_cookie_is_stored(opened: Guarded) -> None:
    """Reading the database is not enough to sign in."""
    browser = await opened.signed_in("ann")
    cookie = browser.cookies[COOKIE]

    rows = await opened.database.read(
        lambda connection: connection.execute(select(opened.tables.sessions)).all()
    )

    assert len(rows) == 1
    assert cookie not in str(rows)


async def test_signing_in_again_starts_another_session(opened: Guarded) -> None:
    """An earlier cookie never becomes a signed-in one: no session fixation."""
    browser = opened.client()
    browser.cookies.set(COOKIE, "chosen-by-somebody-else")
    await sign_in(browser)
    first = browser.cookies.get(COOKIE, domain="orders.local")
    await sign_in(browser)

    assert first not in {None, "chosen-by-somebody-else"}
    assert browser.cookies.get(COOKIE, domain="orders.local") != first


async def test_a_wrong_name_and_a_wrong_password_look_alike(opened: Guarded) -> None:
    """The page does not say which of the two was wrong, and there is no session."""
    for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("", "")):
        browser = opened.client()
        response = await sign_in(browser, name=name, password=password)

        assert response.status_code == 401
        assert "The name or the password is wrong." in response.text
        assert "Set-Cookie" not in response.headers
        assert not await is_in(browser)


async def test_an_unknown_name_costs_a_password_check(
    opened: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response time does not reveal whether the user exists."""
    checked: list[str] = []
    signing = opened.access._signing
    assert signing is not None
    original = signing._passwords._matches

    def matches(password_hash: str, password: str) -> bool:
        checked.append(password_hash)
        return original(password_hash, password)

    monkeypatch.setattr(signing._passwords, "_matches", matches)
    for name in ("ann", "nobody"):
        await sign_in(opened.client(), name=name, password="wrong")  # noqa: S106 # meant so

    assert len(checked) == 2


async def test_signing_in_redirects_only_within_this_site(opened: Guarded) -> None:
    """The return address cannot lead to another site."""
    for wanted, led_to in WAYS_ON:
        browser = opened.client()
        assert (await sign_in(browser, next=wanted)).headers["Location"] == led_to, wanted
        again = await browser.get("/sign-in", params={"next": wanted})
        assert (again.status_code, again.headers["Location"]) == (303, led_to), wanted


async def test_markup_in_the_typed_name_is_escaped(opened: Guarded) -> None:
    """The page shows the name again as text."""
    response = await sign_in(opened.client(), name='"><script>', next='/"><script>')

    assert "<script>" not in response.text.replace("<script src=", "")
    assert "&#34;&gt;&lt;script&gt;" in response.text


async def test_an_idle_session_ends(opened: Guarded) -> None:
    """It ends after 60 minutes without a request; each request extends it."""
    browser = await opened.signed_in("ann")
    for _ in range(3):
        opened.clock.pass_by(minutes=59)
        assert await is_in(browser)
    opened.clock.pass_by(minutes=60)

    assert not await is_in(browser)


async def test_a_session_ends_by_its_age(opened: Guarded) -> None:
    """After eight hours people must sign in again, however active they were."""
    browser = await opened.signed_in("ann")
    for _ in range(15):
        opened.clock.pass_by(minutes=32)
        assert opened.clock.now.hour >= 20 or await is_in(browser)

    assert not await is_in(browser)


async def test_signing_out_ends_a_session_for_good(opened: Guarded) -> None:
    """The cookie is useless afterwards, even to somebody who saved it."""
    browser = await opened.signed_in("ann")
    cookie = browser.cookies[COOKIE]
    csrf = csrf_of(await browser.get("/"))

    response = await browser.post("/sign-out", data={"csrf": csrf})

    assert (response.status_code, response.headers["Location"]) == (303, "/sign-in")
    assert "Max-Age=0" in response.headers["Set-Cookie"]
    assert not await is_in(browser)
    assert not await is_in(opened.client(cookies={COOKIE: cookie}))


async def test_another_sites_form_cannot_sign_out(opened: Guarded) -> None:
    """Signing out needs the session's form token."""
    browser = await opened.signed_in("ann")

    response = await browser.post("/sign-out", data={"csrf": "guessed"})

    assert (response.status_code, response.json()["code"]) == (403, "CSRF_FAILED")
    assert await is_in(browser)


async def test_a_removed_user_is_signed_out_at_once(opened: Guarded) -> None:
    """Sessions end with their user."""
    browser = await opened.signed_in("ann")
    opened.people.remove("ann")

    assert not await is_in(browser)


async def test_a_new_password_ends_the_sessions_of_the_old_one(opened: Guarded) -> None:
    """An attacker who knew the old password is signed out."""
    browser = await opened.signed_in("ann")
    content = opened.people.path.read_text()
    opened.people.replace(content.replace(HASH, PasswordHasher(time_cost=1).hash("another one")))

    assert not await is_in(browser)


async def test_a_changed_role_counts_at_once(opened: Guarded) -> None:
    """Roles are looked up for each request."""
    browser = await opened.signed_in("ann")
    csrf = csrf_of(await browser.get("/"))
    data = {"csrf": csrf, "words": "x"}
    assert (await browser.post("/pages/t", data=data)).status_code == 200

    opened.people.add("ann", Role.VIEWER)

    assert (await browser.post("/pages/t", data=data)).status_code == 403
    assert await is_in(browser)


async def test_runs_on_different_ports_have_separate_sessions(tmp_path: Path) -> None:
    """Each port has its own cookie name, whatever the host name."""
    for host in ("localhost", "127.0.0.1", "[::1]"):
        jar = httpx.Cookies()
        async with guarded(_folder(tmp_path)) as first, guarded(_folder(tmp_path)) as second:
            addresses = {f"http://{host}:8001": first, f"http://{host}:9001": second}
            for address, run in addresses.items():
                run.people.add("ann", Role.VIEWER)
                assert (await _at(run, address, jar, "/sign-in")).status_code == 303
            for address, run in addresses.items():
                assert (await _at(run, address, jar)).status_code == 200, address


async def test_behind_a_gateway_without_a_port_the_cookie_is_named_by_the_services_port(
    opened: Guarded,
) -> None:
    """Its name is the same for every request."""
    browser = await opened.signed_in("ann")

    assert list(browser.cookies) == [COOKIE]
    assert (await browser.get("/")).status_code == 200


def _folder(path: Path) -> Path:
    folder = path / uuid.uuid4().hex
    folder.mkdir()
    return folder


async def _at(run: Guarded, address: str, jar: httpx.Cookies, post: str = "") -> httpx.Response:
    """Ask one of several runs as one browser, which stores its cookies by host alone."""
    host = address.partition("//")[2]
    cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
    headers = {"Host": host, "Cookie": cookies} if cookies else {"Host": host}
    if not post:
        return await run.client().get("/", headers=headers)
    data = {"name": "ann", "password": PASSWORD}
    response = await run.client().post(post, data=data, headers=headers)
    for name, value in response.cookies.items():
        jar.set(name, value)
    return response


async def test_a_form_survives_signing_in(closed: Guarded) -> None:
    """It does not reach its route before; its text is shown again after signing in."""
    closed.people.add("ann", Role.OPERATOR)
    browser = closed.client(headers={"Accept": "text/html"})

    refused = await browser.post("/pages/t", data={"words": "a long thought", "password": "x-1"})
    carried = re.search(r'name="refused" value="([^"]*)"', refused.text)
    assert carried is not None
    page = await sign_in(browser, refused=html.unescape(carried[1]))

    assert (refused.status_code, page.status_code) == (401, 200)
    assert "a long thought" in page.text
    assert "x-1" not in refused.text + page.text
    assert closed.done == []


@pytest.mark.parametrize("words", ["x" * 1_020_000, "😀" * 87_000])
async def test_a_form_too_long_to_survive_signing_in_is_reported(
    opened: Guarded, words: str
) -> None:
    """The text is not lost yet: the browser's back button still shows it."""
    browser = opened.client(headers={"Accept": "text/html"})

    refused = await browser.post("/pages/t", data={"words": words})

    assert refused.status_code == 401
    assert "too long to keep" in refused.text
    assert len(refused.text) < 10_000


async def test_another_services_cookie_signs_nobody_in(opened: Guarded) -> None:
    """Cookies ignore ports, so each service has its own cookie name."""
    browser = await opened.signed_in("ann")
    cookie = browser.cookies[COOKIE]

    assert not await is_in(opened.client(cookies={"orderflow_approvals_1_session": cookie}))
    assert not await is_in(opened.client(cookies={COOKIE: f"{cookie}x"}))
    assert not await is_in(opened.client(cookies={COOKIE: ""}))


async def test_a_cookie_can_read_an_api_but_not_change(closed: Guarded) -> None:
    """A cookie, which browsers send by themselves, must not suffice to change something."""
    closed.people.add("ann", Role.OPERATOR)
    browser = await closed.signed_in("ann")

    assert (await browser.get("/things")).status_code == 200
    assert (await browser.get("/audit")).status_code == 200
    refused = await browser.post("/things/t")
    assert (refused.status_code, refused.json()["code"]) == (401, "SIGN_IN_NEEDED")


async def test_a_visitor_is_redirected_to_sign_in(opened: Guarded) -> None:
    """After signing in, the browser returns to the requested page."""
    response = await opened.client().get("/?part=x", headers={"Accept": "text/html"})

    assert response.status_code == 303
    assert response.headers["Location"] == "/sign-in?next=%2F%3Fpart%3Dx"


async def test_a_replica_knows_the_sessions_of_another(opened: Guarded) -> None:
    """Sessions are stored in the database, not in a process."""
    browser = await opened.signed_in("ann")
    sessions = opened.access._sessions
    assert sessions is not None

    session = await sessions.find(browser.cookies[COOKIE])

    assert session is not None
    assert (session.name, session.via) == ("ann", "session")


@pytest.mark.parametrize("words", ["x" * 890_000, "字" * 98_000, "😀" * 65_536, '"' * 148_000])
async def test_a_form_that_is_carried_fits_into_the_sign_in_form(
    opened: Guarded, words: str
) -> None:
    """This holds for text in any script."""
    opened.people.add("ann", Role.OPERATOR)
    browser = opened.client(headers={"Accept": "text/html"})

    refused = await browser.post("/pages/t", data={"words": words})
    carried = re.search(r'name="refused" value="([^"]*)"', refused.text)
    assert carried is not None
    page = await sign_in(browser, refused=html.unescape(carried[1]))

    assert page.status_code == 200
    assert words[:1000] in html.unescape(page.text)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/pages/t", "/sign-in"])
async def test_an_unreadable_form_gets_a_proper_response(
    opened: Guarded, path: str, kind: str
) -> None:
    """The response explains or leads to the sign-in page, and is never a 5xx."""
    browser = opened.client(headers={"Accept": "text/html", "Content-Type": kind})

    response = await browser.post(path, content=b"no form")

    assert response.status_code == (303 if path == "/pages/t" else 422)


@pytest.mark.parametrize(
    "carried",
    [r'["/pages/t", [["words", "\ud800"]], false]', '["/pages/t", [["words", 1]], false]'],
)
async def test_text_that_no_browser_sends_is_not_carried(opened: Guarded, carried: str) -> None:
    """It is dropped, and signing in still works."""
    opened.people.add("ann", Role.OPERATOR)
    browser = opened.client(headers={"Accept": "text/html"})

    assert (await sign_in(browser, refused=carried)).status_code == 303
