"""The page of dead letters: payloads as text, and resending one or many."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import MetaData

from fakes.events import cloud_event
from fakes.schemas import FromModels
from fakes.visitors import Visited, Visitor
from orderflow_contracts.access import Role
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.access import access_tables
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import (
    DeadLetters,
    Known,
    Outcomes,
    ParkedEvents,
    dead_letter_table,
    parked_event_table,
)
from orderflow_hosting.events import Event, read_event
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site
from orderflow_hosting.web.dead_letter_forms import DeadLetterForms
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects

TABLES = MetaData()
TABLE = dead_letter_table(TABLES, "order_id")
PARKED = parked_event_table(TABLES)
ACCESS = access_tables(TABLES)
PATH = "/board/dead-letters"
TOPIC = "orders.submitted"
MARKUP = "<script>alert('x')</script>"


class Broker(Sidecar):
    """Accepts this many events, then fails."""

    def __init__(self) -> None:
        """Connect to nothing."""
        self.published: list[bytes] = []
        self.takes = 1000

    async def publish_raw(self, topic: str, event: bytes) -> None:  # noqa: ARG002
        if len(self.published) == self.takes:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAVAILABLE,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                "no broker",
            )
        self.published.append(event)


class Shop:
    """Knows what events are about, by order id."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}

    async def find(self, _topic: str, event: Event) -> Known | None:
        order_id = readable_order_id(event.content)
        status = self.statuses.get(order_id or "")
        return None if order_id is None or status is None else Known("order", order_id, status)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/letters.db", FromModels(TABLES))
    yield database
    database.close()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def letters(database: Database, broker: Broker) -> DeadLetters:
    return DeadLetters(database, TABLE, broker, subject_of=readable_order_id)


@pytest.fixture
def parked(database: Database) -> ParkedEvents:
    return ParkedEvents(database, PARKED)


@pytest.fixture
def visited(
    database: Database, letters: DeadLetters, parked: ParkedEvents, shop: Shop, tmp_path: Path
) -> Visited:
    site = Site("Tests")
    visited = Visited(site, database, ACCESS, tmp_path)
    subjects = Subjects("Order", "/board/orders")
    outcomes = Outcomes(database, TABLE, PARKED, visited.audit, shop.find)
    pages = DeadLetterPages(
        *(site, letters, parked, visited.audit, outcomes, PATH, subjects),
        topics=(TOPIC, "tasks.completed"),
        records={"order": "/board/orders/{id}"},
    )
    elsewhere = replace(pages, path="/strict", reader=Role.OPERATOR)
    visited.serve(pages.router(), DeadLetterForms(pages).router(), elsewhere.router())
    return visited


@pytest.fixture
async def olga(visited: Visited) -> Visitor:
    return await visited.visitor("olga")


async def refuse(letters: DeadLetters, number: int, data: Any = None, reason: str = "no") -> None:
    event = read_event(cloud_event(data or {"order_id": f"o{number}"}, f"e{number}"))
    await letters.record(TOPIC, event, reason, subject=f"o{number}")


async def test_markup_in_payload_and_reason_shows_as_text(
    letters: DeadLetters, olga: Visitor
) -> None:
    """Nothing in a published event becomes part of the markup, nor in the form that edits it."""
    await refuse(letters, 1, {"note": MARKUP, "\u202eevil": "\u0007"}, reason=MARKUP)

    listed, page = (await olga.get(PATH)).text, (await olga.get(f"{PATH}/1")).text

    assert MARKUP not in listed + page
    assert listed.count("&lt;script&gt;") == 1
    assert page.count("&lt;script&gt;") == 3
    assert "\u202e" not in page
    assert "\\u202eevil" in page


async def test_a_payload_that_is_not_json_shows_as_text(
    letters: DeadLetters, olga: Visitor
) -> None:
    """Its invisible characters are written out; what is not even text is shown in base64."""
    for raw in (f"no JSON \u202e{MARKUP}".encode(), b"\xff\xfe<b>"):
        await letters.record(TOPIC, read_event(raw), "no")

    text, binary = (await olga.get(f"{PATH}/1")).text, (await olga.get(f"{PATH}/2")).text

    assert MARKUP not in text
    assert "no JSON \\u202e&lt;script&gt;" in text
    assert "is not text" in binary
    assert "//48Yj4=" in binary


async def test_the_whole_payload_can_be_downloaded(letters: DeadLetters, olga: Visitor) -> None:
    """Every byte of it, as a file that the browser does not show."""
    raw = b"\xff<script>" + b"x" * 200_000
    await letters.record(TOPIC, read_event(raw), "no")

    answer = await olga.get(f"{PATH}/1/payload")

    assert answer.content == raw
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("path", ["77", "77/payload"])
async def test_an_unknown_dead_letter_has_no_page(olga: Visitor, path: str) -> None:
    """The visitor is told so."""
    assert (await olga.get(f"{PATH}/{path}")).status_code == 404


async def test_a_discarded_dead_letter_shows_why(letters: DeadLetters, olga: Visitor) -> None:
    """It is listed apart from those that wait."""
    await refuse(letters, 1)
    await letters.discard(1, MARKUP)

    assert "Dead letter 1 " not in (await olga.get(PATH)).text
    assert "Dead letter 1 " in (await olga.get(f"{PATH}?show=discarded")).text
    page = (await olga.get(f"{PATH}/1")).text
    assert MARKUP not in page
    assert "&lt;script&gt;" in page


async def test_events_that_are_tried_again_are_listed(parked: ParkedEvents, olga: Visitor) -> None:
    """People see what waits for another attempt, and the last error."""
    event = read_event(cloud_event({}, "e-parked"))
    await parked.park(TOPIC, event, f"RuntimeError: {MARKUP}")

    page = (await olga.get(PATH)).text

    assert "Waiting for another attempt" in page
    assert "e-parked" in page
    assert MARKUP not in page
    assert "Waiting for another attempt" not in (await olga.get(f"{PATH}?show=resent")).text


async def test_a_long_payload_is_truncated(letters: DeadLetters, olga: Visitor) -> None:
    """The page stays small, whatever was published."""
    await refuse(letters, 1, {"note": "x" * 200_000})

    listed, page = (await olga.get(PATH)).text, (await olga.get(f"{PATH}/1")).text

    assert len(listed) < 40_000
    assert len(page) < 40_000
    assert "characters more" in page


async def test_a_resent_dead_letter_leaves_the_list(
    letters: DeadLetters, broker: Broker, olga: Visitor, visited: Visited
) -> None:
    """The page confirms it after a redirect, and the audit trail says who did it."""
    await refuse(letters, 1)

    answer = await olga.post(f"{PATH}/resend", only="1", show="waiting")

    assert answer.status_code == 303
    after = (await olga.get(answer.headers["Location"])).text
    assert "1 dead letter was resent" in after
    assert "Dead letter 1 " not in after
    assert "Dead letter 1 " in (await olga.get(f"{PATH}?show=resent")).text
    assert len(broker.published) == 1
    (entry,) = await visited.audit.page(10, None)
    assert (entry.actor, entry.action, entry.subject) == ("olga", "dead-letter.resend", "1")
    assert entry.outcome == "done"


async def test_selected_dead_letters_are_resent_with_an_entry_each(
    letters: DeadLetters, broker: Broker, olga: Visitor, visited: Visited
) -> None:
    """Only those selected are resent."""
    for number in (1, 2, 3):
        await refuse(letters, number)

    answer = await olga.post(f"{PATH}/resend", letter=["1", "3"])

    assert answer.headers["Location"] == f"{PATH}?show=waiting&sent=2"
    assert len(broker.published) == 2
    assert {entry.subject for entry in await visited.audit.page(10, None)} == {"1", "3"}


async def test_a_partly_failed_resend_says_which_failed(
    letters: DeadLetters, broker: Broker, olga: Visitor, visited: Visited
) -> None:
    """The broker fails after the first: the second failed, the third was not tried."""
    for number in (1, 2, 3):
        await refuse(letters, number)
    broker.takes = 1

    answer = await olga.post(f"{PATH}/resend", letter=["1", "2", "3"])

    assert answer.status_code == 503
    assert "1 dead letter was resent" in answer.text
    assert "2 dead letters were not resent" in answer.text
    assert "Dead letter 2: could not be sent: no broker" in answer.text
    assert "Dead letter 3: not tried, because the broker is unavailable" in answer.text
    outcomes = {e.subject: e.outcome for e in await visited.audit.page(10, None)}
    assert outcomes == {"1": "done", "2": "SIDECAR_UNAVAILABLE"}


async def test_a_missing_dead_letter_does_not_prevent_the_others(
    letters: DeadLetters, broker: Broker, olga: Visitor
) -> None:
    """It may have been removed since the page was loaded."""
    await refuse(letters, 1)

    answer = await olga.post(f"{PATH}/resend", letter=["77", "1"])

    assert answer.status_code == 404
    assert "Dead letter 77: there is no dead letter 77" in answer.text
    assert len(broker.published) == 1


async def test_resending_nothing_is_reported(letters: DeadLetters, olga: Visitor) -> None:
    """The page asks for a selection, and nothing is sent."""
    await refuse(letters, 1)

    answer = await olga.post(f"{PATH}/resend")

    assert answer.status_code == 422
    assert "Select the dead letters" in answer.text


async def test_the_list_is_read_page_by_page(letters: DeadLetters, olga: Visitor) -> None:
    """Twenty at a time, newest first, each once."""
    for number in range(1, 26):
        await refuse(letters, number)

    first = (await olga.get(PATH)).text
    (following,) = [part.split('"')[0] for part in first.split('href="') if "&amp;after=" in part]
    second = (await olga.get(following.replace("&amp;", "&"))).text

    assert first.count("<article>") == 20
    assert second.count("<article>") == 5
    assert "Waiting <strong>25" in first


# Permissions


async def test_resending_needs_the_role_and_the_form_token(
    letters: DeadLetters, broker: Broker, visited: Visited
) -> None:
    """A viewer sees no buttons; a form from elsewhere is refused."""
    await refuse(letters, 1)
    vera, olga = await visited.visitor("vera"), await visited.visitor("olga")

    seen = await vera.get(PATH)
    assert seen.status_code == 200
    assert '<button type="submit" class="quiet" name="only"' not in seen.text
    assert (await vera.post(f"{PATH}/resend", only="1")).status_code == 403
    assert (await olga.post(f"{PATH}/resend", only="1", csrf="other")).status_code == 403
    assert (await olga.get(f"{PATH}/resend")).status_code == 405
    assert broker.published == []


async def test_a_service_may_show_dead_letters_to_operators_only(
    letters: DeadLetters, visited: Visited
) -> None:
    """Viewers then do not see payloads."""
    await refuse(letters, 1)
    vera, olga = await visited.visitor("vera"), await visited.visitor("olga")
    for path in ("/strict", "/strict/1", "/strict/1/payload"):
        assert (await vera.get(path)).status_code == 403
        assert (await olga.get(path)).status_code == 200


async def test_a_visitor_of_the_dead_letters_is_redirected_to_sign_in(visited: Visited) -> None:
    """After signing in, the browser returns to the page."""
    answer = await (await visited.visitor(None)).get(PATH)

    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Fboard%2Fdead-letters"


async def test_a_selection_survives_signing_in_again(
    letters: DeadLetters, olga: Visitor, broker: Broker
) -> None:
    """Nothing is sent until the form comes from the new session."""
    for number in (1, 2, 3):
        await refuse(letters, number)

    page = await Visitor(olga.client, "of-before").post(f"{PATH}/resend", letter=["1", "3"])

    ticked = re.findall(r'name="letter" value="(\d)" checked', page.text)
    assert (page.status_code, sorted(ticked)) == (403, ["1", "3"])
    assert broker.published == []
