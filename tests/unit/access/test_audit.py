"""The audit trail: what is recorded and when, and that entries cannot be changed."""

from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from fakes.guarded_app import Guarded, csrf_of
from orderflow_contracts.access import Role
from orderflow_hosting.database import DatabaseUnavailable


@pytest.fixture
def ci(closed: Guarded) -> httpx.AsyncClient:
    """Create a token of a program with the role operator."""
    token = closed.people.give_token("ci", Role.OPERATOR)
    return closed.client(headers={"Authorization": f"Bearer {token}"})


async def test_an_entry_is_written_before_the_action(
    closed: Guarded, ci: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry has no outcome until the action ends, or for ever if the service is killed."""

    async def never(*_: object) -> None:
        raise DatabaseUnavailable("killed")

    assert closed.access.audit is not None
    monkeypatch.setattr(closed.access.audit, "end", never)

    assert (await ci.post("/things/t")).status_code == 200
    assert await closed.trail() == [("ci", "thing.make", "t", None)]


async def test_an_action_is_not_done_if_it_cannot_be_recorded(
    closed: Guarded, ci: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 503, and nothing has changed."""

    async def cannot(*_: object) -> int:
        raise DatabaseUnavailable("disk full")

    assert closed.access.audit is not None
    monkeypatch.setattr(closed.access.audit, "begin", cannot)

    response = await ci.post("/things/t")

    assert (response.status_code, response.json()["code"]) == (503, "STORE_UNAVAILABLE")
    assert closed.done == []


@pytest.mark.parametrize(
    ("query", "status", "outcome"),
    [
        ("", 200, "done"),
        ("?trouble=problem", 409, "THING_EXISTS"),
        ("?trouble=error", 500, "INTERNAL_ERROR"),
        ("?number=none", 422, "INVALID_INPUT"),
    ],
)
async def test_the_outcome_is_done_or_the_problem_code(
    closed: Guarded, ci: httpx.AsyncClient, query: str, status: int, outcome: str
) -> None:
    """This holds whatever raised the problem."""
    assert (await ci.post(f"/things/t{query}")).status_code == status
    assert await closed.trail() == [("ci", "thing.make", "t", outcome)]


async def test_a_page_with_an_error_status_counts_as_failed(opened: Guarded) -> None:
    """It does so even if no problem was raised."""
    opened.people.add("ann", Role.OPERATOR)
    browser = await opened.signed_in("ann")
    csrf = csrf_of(await browser.get("/"))

    for words in ("again", "x"):
        await browser.post("/pages/t", data={"csrf": csrf, "words": words})

    assert [entry[3] for entry in await opened.trail()] == ["done", "HTTP_409", "done"]


async def test_details_have_the_request_without_secrets(opened: Guarded) -> None:
    """Path, query and form are recorded; passwords, cookies and tokens are not."""
    opened.people.add("ann", Role.OPERATOR)
    browser = await opened.signed_in("ann")
    csrf = csrf_of(await browser.get("/"))
    await browser.post("/pages/t?from=x", data={"csrf": csrf, "words": "<b>\0ü"})

    assert opened.access.audit is not None
    entries = await opened.access.audit.page(10, None)
    assert entries[0].details == {
        "path": {"thing": "t"},
        "query": {"from": "x"},
        "body": {"words": "<b>\0ü"},
    }
    assert csrf not in str(entries)


async def test_any_input_can_be_recorded(ci: httpx.AsyncClient) -> None:
    """Its size and characters do not matter."""
    strange: list[dict[str, Any]] = [
        {"content": b"\xff\0" * 10},
        {"content": b"[" * 100_000},
        {"content": b"NaN"},
        {"content": b'"\\ud800"', "headers": {"Content-Type": "application/json"}},
    ]
    for sent in strange:
        assert (await ci.post("/things/%00%ff" + "x" * 300, **sent)).status_code == 200

    page = await ci.get("/audit")
    assert page.status_code == 200
    assert len(page.json()["items"]) == len(strange)


async def test_an_order_placed_without_a_token_has_no_entry(opened: Guarded) -> None:
    """On an open API the order itself is the record; with a token there is an entry."""
    token = opened.people.give_token("ci", Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}"}
    assert (await opened.client().post("/orders")).status_code == 200
    assert (await opened.client().post("/things/t")).status_code == 200
    assert (await opened.client(headers=headers).post("/orders")).status_code == 200

    assert await opened.trail() == [
        ("local", "thing.make", "t", "done"),
        ("ci", "order.place", "o-1", "done"),
    ]


async def test_a_refused_request_has_no_entry(closed: Guarded) -> None:
    """Nothing was done, so there is no action to record."""
    token = closed.people.give_token("vic", Role.VIEWER)
    headers = {"Authorization": f"Bearer {token}"}

    assert (await closed.client(headers=headers).post("/things/t")).status_code == 403
    assert (await closed.client().post("/things/t")).status_code == 401
    assert await closed.trail() == []


async def test_signing_in_and_out_is_recorded(opened: Guarded) -> None:
    """The entries include the address."""
    opened.people.add("ann", Role.VIEWER)
    browser = await opened.signed_in("ann")
    await browser.post("/sign-out", data={"csrf": csrf_of(await browser.get("/"))})

    assert await opened.trail() == [
        ("ann", "sign-in", "ann", "done"),
        ("ann", "sign-out", "ann", "done"),
    ]


async def test_the_trail_is_read_page_by_page(ci: httpx.AsyncClient) -> None:
    """The newest entries come first, for everything or for one subject."""
    for number in range(5):
        await ci.post(f"/things/t{number}")

    first = (await ci.get("/audit", params={"limit": 3})).json()
    rest = (await ci.get("/audit", params={"limit": 3, "after": first["next"]})).json()
    about = (await ci.get("/audit", params={"subject": "t2"})).json()

    subjects = [entry["subject"] for entry in (*first["items"], *rest["items"])]
    assert subjects == ["t4", "t3", "t2", "t1", "t0"]
    assert rest["next"] is None
    assert [entry["subject"] for entry in about["items"]] == ["t2"]


async def test_a_subject_is_found_in_all_spellings(ci: httpx.AsyncClient) -> None:
    """Case and accents, composed or combined, do not matter."""
    for name in ("Jos\u00e9", "Jose\u0301", "JOSE", "josef"):
        await ci.post(f"/things/{name}")

    for typed in ("jos\u00e9", "JOSE\u0301", "jose"):
        about = (await ci.get("/audit", params={"subject": typed})).json()
        subjects = [entry["subject"] for entry in about["items"]]
        assert subjects == ["JOSE", "Jose\u0301", "Jos\u00e9"]


async def test_the_database_refuses_to_change_the_trail(
    closed: Guarded, ci: httpx.AsyncClient
) -> None:
    """Entries and outcomes cannot be updated, deleted or replaced."""
    await ci.post("/things/t")
    before = await closed.trail()
    for table in (closed.tables.audit, closed.tables.audit_outcomes):
        row: dict[str, Any] = dict.fromkeys((column.name for column in table.columns), "x")
        row |= {"number": 1, "at": closed.clock()}
        replacing = insert(table).values(**row).prefix_with("OR REPLACE")
        for statement in (
            update(table).values(number=2),
            delete(table),
            replacing,
            text(f"DELETE FROM {table.name}"),  # noqa: S608 # two names of our own
        ):
            with pytest.raises(DBAPIError, match="cannot be changed"):
                await closed.database.write(partial(Connection.execute, statement=statement))

    assert await closed.trail() == before
