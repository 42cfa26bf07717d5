"""The page of dead letters: payloads as text, and resending one or many."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from fakes.events import cloud_event
from fakes.outboxes import Owed, fail_once
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
from orderflow_hosting.outbox import outbox_tables
from orderflow_hosting.problems import Problem
from orderflow_hosting.web import Site
from orderflow_hosting.web.dead_letter_forms import DeadLetterForms
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects

TABLES = MetaData()
TABLE = dead_letter_table(TABLES, "order_id")
PARKED = parked_event_table(TABLES)
outbox_tables(TABLES)
ACCESS = access_tables(TABLES)
PATH = "/board/dead-letters"
TOPIC = "orders.submitted"
MARKUP = "<script>alert('x')</script>"


class Broker(Owed):
    """What was promised to the broker since `forget`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._forgotten = 0

    @property
    def events(self) -> list[bytes]:
        return [event for _, event in self.published[self._forgotten :]]

    def forget(self) -> None:
        self._forgotten = len(self.published)


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
def broker(database: Database) -> Broker:
    return Broker(database)


@pytest.fixture
def letters(database: Database) -> DeadLetters:
    return DeadLetters(database, TABLE, subject_of=readable_order_id)


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
    assert len(broker.events) == 1
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
    assert len(broker.events) == 2
    assert {entry.subject for entry in await visited.audit.page(10, None)} == {"1", "3"}


async def test_a_missing_dead_letter_does_not_prevent_the_others(
    letters: DeadLetters, broker: Broker, olga: Visitor, visited: Visited
) -> None:
    """It may have been removed since the page was loaded. Each has an outcome of its own."""
    await refuse(letters, 1)

    answer = await olga.post(f"{PATH}/resend", letter=["77", "1"])

    assert answer.status_code == 404
    assert "1 dead letter was resent" in answer.text
    outcomes = {e.subject: e.outcome for e in await visited.audit.page(10, None)}
    assert outcomes == {"77": "DEAD_LETTER_NOT_FOUND", "1": "done"}
    assert "Dead letter 77: there is no dead letter 77" in answer.text
    assert len(broker.events) == 1


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
    assert broker.events == []


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
    assert broker.events == []


# Filters


async def test_the_list_is_filtered(letters: DeadLetters, olga: Visitor) -> None:
    """By what the API filters by, too; each state keeps the filter."""
    await refuse(letters, 1, reason="invalid: lines")
    await refuse(letters, 2, reason="invalid: item")
    await letters.record("tasks.completed", read_event(cloud_event({}, "e3")), "no such task")

    async def shown(**query: str) -> list[str]:
        page = (await olga.client.get(PATH, params=query)).text
        return re.findall(r"Dead letter (\d) ", page)

    assert await shown(reason="INVALID") == ["2", "1"]
    assert await shown(topic="tasks.completed") == ["3"]
    assert await shown(q="o1") == ["1"]
    assert await shown(since="2000-01-01") == ["3", "2", "1"]
    assert await shown(until="2000-01-01T10:00", zone="Europe/Berlin") == []
    assert await shown(reason="invalid", show="resent") == []
    page = (await olga.get(f"{PATH}?reason=invalid&q=o1")).text
    assert f'href="{PATH}?show=resent&amp;reason=invalid&amp;q=o1"' in page


async def test_a_filter_lasts_over_pages_refreshes_and_actions(
    letters: DeadLetters, olga: Visitor
) -> None:
    """Whoever works through a filtered list stays in it."""
    for number in range(1, 26):
        await refuse(letters, number, reason="invalid & odd")
    query = "show=waiting&amp;reason=invalid+%26+odd"

    page = (await olga.get(f"{PATH}?reason=invalid+%26+odd")).text
    answer = await olga.post(f"{PATH}/resend", only="1", show="waiting", reason="invalid & odd")

    assert f'hx-get="{PATH}?{query}"' in page
    assert f'href="{PATH}?{query}&amp;after=' in page
    assert f'href="{PATH}/preview?{query}&amp;match=all"' in page
    assert answer.headers["Location"] == f"{PATH}?show=waiting&reason=invalid+%26+odd&sent=1"


@pytest.mark.parametrize("query", ["since=soon", "until=2026-13-01", "q=" + "x" * 300])
async def test_an_invalid_filter_is_explained(
    letters: DeadLetters, olga: Visitor, query: str
) -> None:
    """It stays in the form; nothing can be resent by it, and no refresh replaces it."""
    await refuse(letters, 1)

    answer = await olga.get(f"{PATH}?{query}")
    preview = await olga.get(f"{PATH}/preview?match=all&{query}")

    assert answer.status_code == preview.status_code == 422
    assert query.partition("=")[2] in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "match=all" not in answer.text
    assert "hx-get" not in answer.text


# Confirming


async def test_what_would_be_resent_is_shown_first(
    letters: DeadLetters, broker: Broker, olga: Visitor
) -> None:
    """Topic, id, subject, the beginning of the payload and the size; exactly these are sent."""
    await refuse(letters, 1, {"note": f"{MARKUP}\u202e" + "x" * 10_000})
    await refuse(letters, 2)
    await refuse(letters, 3)
    await letters.resend(2)
    await letters.discard(3, "a test")
    broker.forget()

    answer = await olga.get(f"{PATH}/preview?letter=1&letter=2&letter=3&letter=99")

    size = len(cloud_event({"note": f"{MARKUP}\u202e" + "x" * 10_000}, "e1"))
    assert f"{size:,} bytes" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert MARKUP not in answer.text
    assert "\u202e" not in answer.text
    assert "x" * 250 not in answer.text
    for text in (TOPIC, "e1", "o1", ">resent<", ">discarded<", ">waiting<", "3 dead letters"):
        assert text in answer.text
    hidden = re.findall(r'name="letter" value="(\d+)"', answer.text)
    assert sorted(hidden) == ["1", "2", "3"]
    assert broker.events == []

    await olga.post(f"{PATH}/resend", letter=hidden)
    assert len(broker.events) == 3


async def test_all_that_match_are_shown_up_to_a_limit(letters: DeadLetters, olga: Visitor) -> None:
    """The newest of them; the page says that there are more."""
    for number in range(1, 104):
        await refuse(letters, number, reason="odd" if number <= 102 else "even")

    page = (await olga.get(f"{PATH}/preview?match=all&reason=odd")).text
    few = (await olga.get(f"{PATH}/preview?match=all&reason=even")).text
    none = await olga.get(f"{PATH}/preview?match=all&reason=neither")

    numbers = [int(each) for each in re.findall(r'name="letter" value="(\d+)"', page)]
    assert numbers == list(range(102, 2, -1))
    assert "More match" in page
    assert re.findall(r'name="letter" value="(\d+)"', few) == ["103"]
    assert "More match" not in few
    assert (none.status_code, "No matching dead letters" in none.text) == (200, True)


@pytest.mark.parametrize("path", ["preview", "discard"])
async def test_a_selection_of_nothing_is_reported(
    letters: DeadLetters, olga: Visitor, path: str
) -> None:
    """The list is shown again."""
    await refuse(letters, 1)

    answer = await olga.get(f"{PATH}/{path}")

    assert answer.status_code == 422
    assert "Select the dead letters" in answer.text


async def test_selected_dead_letters_are_discarded_with_a_reason(
    letters: DeadLetters, olga: Visitor, visited: Visited
) -> None:
    """The reason is asked for on a page that lists them; each has an entry in the audit trail."""
    for number in (1, 2, 3):
        await refuse(letters, number)
    page = (await olga.get(f"{PATH}/discard?letter=1&letter=3")).text
    assert "Discard 2 dead letters" in page

    refused = await olga.post(f"{PATH}/discard", letter=["1", "3"], discard_reason=" ")
    answer = await olga.post(f"{PATH}/discard", letter=["1", "3"], discard_reason="tests of ours")

    assert refused.status_code == 422
    assert re.findall(r'name="letter" value="(\d)"', refused.text) == ["3", "1"]
    assert answer.headers["Location"] == f"{PATH}?show=waiting&discarded=2"
    assert "2 dead letters were discarded" in (await olga.get(answer.headers["Location"])).text
    found = [(await letters.letter(number)).discard_reason for number in (1, 2, 3)]
    assert found == ["tests of ours", None, "tests of ours"]
    entries = await visited.audit.page(10, None)
    assert [(e.action, e.subject, e.outcome) for e in entries] == [
        ("dead-letter.discard", "3", "done"),
        ("dead-letter.discard", "1", "done"),
    ]


async def test_a_reason_survives_signing_in_again(letters: DeadLetters, olga: Visitor) -> None:
    """So do the selection and the filter: the page that asked is shown again."""
    for number in (1, 2):
        await refuse(letters, number)
    before = Visitor(olga.client, "of-before")
    form = {"letter": ["1", "2"], "discard_reason": "tests of ours", "q": "o1 & o2"}

    page = await before.post(f"{PATH}/discard", **form)

    assert (page.status_code, 'value="tests of ours"' in page.text) == (403, True)
    assert 'name="q" value="o1 &amp; o2"' in page.text
    assert re.findall(r'name="letter" value="(\d)"', page.text) == ["2", "1"]
    assert (await letters.letter(1)).discarded_at is None


# Acting on one


async def test_one_is_discarded_from_its_page(letters: DeadLetters, olga: Visitor) -> None:
    """Without a reason it is not, and the page says so."""
    await refuse(letters, 1)

    refused = await olga.post(f"{PATH}/1/discard", discard_reason=" ")
    answer = await olga.post(f"{PATH}/1/discard", discard_reason="a test")

    assert (refused.status_code, answer.status_code) == (422, 303)
    assert "Nothing was done" in refused.text
    assert "The dead letter was discarded." in (await olga.get(answer.headers["Location"])).text
    assert (await letters.letter(1)).discard_reason == "a test"


async def test_a_payload_is_corrected_and_resent(
    letters: DeadLetters, broker: Broker, olga: Visitor
) -> None:
    """The form has it over several lines; the corrected event has an id of its own."""
    await refuse(letters, 1, {"order_id": "o1", "quantity": 10**20, "note": "\u202e<b>é"})
    (text,) = re.findall(r"<textarea[^>]*>\n([^<]*)</textarea>", (await olga.get(f"{PATH}/1")).text)
    assert "\n  &#34;quantity&#34;: 100000000000000000000," in text
    assert "\\u202e&lt;b&gt;é" in text

    corrected = html.unescape(text).replace(f"{10**20}", "3").replace("\n", "\r\n")
    answer = await olga.post(f"{PATH}/1/correct", payload=corrected)

    page = (await olga.get(answer.headers["Location"])).text
    sent = read_event(broker.events[0])
    assert answer.status_code == 303
    assert "The corrected event was sent." in page
    assert sent.content == {"order_id": "o1", "quantity": 3, "note": "\u202e<b>é"}
    assert (sent.id != "e1", sent.attributes["correctsid"]) == (True, "e1")
    assert f"as event {sent.id}" in page


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ('{\r\n  "n": ]}', "line 2, column 8: not JSON"),
        ('{"lines": [{"n": 1e400}]}', "lines.0.n: the number is beyond the range of a double"),
        ('{"n": 1, "n": 2}', "occurs more than once"),
        ("null", "must not be null"),
        ('{\n  "order_id": "o1"\n}', "payload was not changed"),
        ("", "line 1, column 1: not JSON"),
    ],
)
async def test_an_unusable_correction_names_the_place(
    letters: DeadLetters, broker: Broker, olga: Visitor, typed: str, reason: str
) -> None:
    """What was typed stays in the form, and nothing is sent."""
    await refuse(letters, 1)

    answer = await olga.post(f"{PATH}/1/correct", payload=typed)

    assert answer.status_code == 422
    assert reason in html.unescape(answer.text)
    assert broker.events == []
    assert (await letters.letter(1)).resent_at is None
    if typed:
        (text,) = re.findall(r"<textarea[^>]*>\n([^<]*)</textarea>", answer.text)
        assert html.unescape(text).replace("\r\n", "\n") == typed.replace("\r\n", "\n")


async def test_a_correction_survives_signing_in_again(
    letters: DeadLetters, olga: Visitor, broker: Broker
) -> None:
    """Nothing is sent until the form comes from the new session."""
    await refuse(letters, 1)

    page = await Visitor(olga.client, "of-before").post(f"{PATH}/1/correct", payload='{"n": 7}')

    assert page.status_code == 403
    assert re.findall(r"<textarea[^>]*>\n([^<]*)</textarea>", page.text) == ["{&#34;n&#34;: 7}"]
    assert broker.events == []


@pytest.mark.parametrize(
    ("data", "obstacle"), [(b"\xff", "is not text"), (b"x" * 100_001, "more than 100,000")]
)
async def test_what_cannot_be_edited_in_a_form_is_explained(
    letters: DeadLetters, broker: Broker, olga: Visitor, data: bytes, obstacle: str
) -> None:
    """It can be downloaded, and corrected by the command."""
    await letters.record(TOPIC, read_event(data), "no")

    page = (await olga.get(f"{PATH}/1")).text
    answer = await olga.post(f"{PATH}/1/correct", payload="{}")

    assert obstacle in page
    assert "<textarea" not in page
    assert answer.status_code == 422
    assert broker.events == []


async def test_a_payload_that_is_not_json_can_be_corrected(
    letters: DeadLetters, broker: Broker, olga: Visitor
) -> None:
    """Its tabs are no escapes, because these may not stand between values."""
    await letters.record(TOPIC, read_event(b'{\r\n\t"n": 1,\r\n}'), "no")

    (text,) = re.findall(r"<textarea[^>]*>\n([^<]*)</textarea>", (await olga.get(f"{PATH}/1")).text)
    await olga.post(f"{PATH}/1/correct", payload=html.unescape(text).replace("1,", "1"))

    assert html.unescape(text) == '{\n\t"n": 1,\n}'
    assert read_event(broker.events[0]).content == {"n": 1}


# What became of it


async def test_the_page_shows_what_a_resent_event_became(
    letters: DeadLetters, parked: ParkedEvents, shop: Shop, olga: Visitor
) -> None:
    """Nothing yet, parked, or what it is about with its status and a link."""
    await refuse(letters, 1)
    assert "Outcome" not in (await olga.get(f"{PATH}/1")).text
    await olga.post(f"{PATH}/1/resend")
    assert "Nothing is recorded yet." in (await olga.get(f"{PATH}/1")).text

    shop.statuses["o1"] = "completed"
    page = (await olga.get(f"{PATH}/1")).text
    assert re.search(
        r'Order <a href="/board/orders/o1">o1</a> is now <span class="badge \w+">completed', page
    )

    await parked.park(TOPIC, read_event(cloud_event({"order_id": "o1"}, "e1")), "away")
    assert "waits for another attempt" in (await olga.get(f"{PATH}/1")).text


async def test_the_page_shows_that_an_event_came_back(
    letters: DeadLetters, broker: Broker, olga: Visitor
) -> None:
    """As it was, it is the same dead letter again; corrected, it is another one."""
    await refuse(letters, 1)
    await olga.post(f"{PATH}/1/resend")
    await refuse(letters, 1, reason="still no good")
    again = (await olga.get(f"{PATH}/1")).text
    await olga.post(f"{PATH}/1/correct", payload='{"order_id": "o2"}')
    await letters.record(TOPIC, read_event(broker.events[-1]), "no good either")
    corrected = (await olga.get(f"{PATH}/1")).text

    assert "is this dead letter again" in again
    assert f'<a href="{PATH}/2">dead letter 2</a>' in corrected


async def test_the_page_shows_who_did_what(
    letters: DeadLetters, olga: Visitor, visited: Visited, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latest first, from the audit trail, with attempts that failed; viewers see it too."""
    await refuse(letters, 1)
    assert "History" not in (await olga.get(f"{PATH}/1")).text
    await olga.post(f"{PATH}/resend", only="1")
    await olga.post(f"{PATH}/1/correct", payload='{"n": 1}')
    await olga.post(f"{PATH}/1/discard", discard_reason="done with it")
    away = Problem(503, "SIDECAR_UNAVAILABLE", "away")
    fail_once(monkeypatch, "orderflow_hosting.dead_letters.store.add_within", away)
    assert (await olga.post(f"{PATH}/1/resend")).status_code == 503

    page = (await (await visited.visitor("vera")).get(f"{PATH}/1")).text

    done = re.findall(
        r'<div class="what">([^<]+) by <strong>olga</strong>(?: <span[^>]*>([^<]*))?', page
    )
    assert done == [
        ("Attempt to resend", "sidecar unavailable"),
        ("Discarded", ""),
        ("Resent, corrected,", ""),
        ("Resent", ""),
    ]


async def test_viewers_have_no_forms(letters: DeadLetters, visited: Visited) -> None:
    """Nor the pages that ask for confirmation; their requests change nothing."""
    await refuse(letters, 1)
    vera = await visited.visitor("vera")

    page = (await vera.get(f"{PATH}/1")).text

    assert page.count('<form method="post"') == 0
    assert "<textarea" not in page
    for path in ("preview", "discard"):
        assert (await vera.get(f"{PATH}/{path}?letter=1")).status_code == 403
    for path in ("discard", "1/resend", "1/correct", "1/discard"):
        answer = await vera.post(f"{PATH}/{path}", letter="1", discard_reason="x", payload="{}")
        assert answer.status_code == 403
    letter = await letters.letter(1)
    assert (letter.resent_at, letter.discarded_at) == (None, None)
