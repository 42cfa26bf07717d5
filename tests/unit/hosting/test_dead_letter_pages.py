"""The page of dead letters: payloads as text, and resending one or many."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from cloudevents.http import CloudEvent
from sqlalchemy import MetaData

from fakes.schemas import FromModels
from fakes.visitors import Visited, Visitor
from orderflow_contracts.access import Role
from orderflow_contracts.fields import readable_order_id
from orderflow_hosting.access import access_tables
from orderflow_hosting.database import Database
from orderflow_hosting.dead_letters import DeadLetters, dead_letter_table
from orderflow_hosting.sidecar import Sidecar
from orderflow_hosting.web import Site
from orderflow_hosting.web.dead_letter_pages import DeadLetterPages, Subjects

TABLES = MetaData()
TABLE = dead_letter_table(TABLES, "order_id")
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

    async def publish_raw(self, topic: str, data: bytes, content_type: str) -> None:  # noqa: ARG002
        if len(self.published) == self.takes:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAVAILABLE,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                "no broker",
            )
        self.published.append(data)


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
def visited(database: Database, letters: DeadLetters, tmp_path: Path) -> Visited:
    site = Site("Tests")
    visited = Visited(site, database, ACCESS, tmp_path)
    pages = DeadLetterPages(site, letters, visited.audit, PATH, Subjects("Order", "/board/orders"))
    elsewhere = replace(pages, path="/strict", reader=Role.OPERATOR)
    visited.serve(pages.router(), elsewhere.router())
    return visited


@pytest.fixture
async def olga(visited: Visited) -> Visitor:
    return await visited.visitor("olga")


async def refuse(letters: DeadLetters, number: int, data: Any = None, reason: str = "no") -> None:
    event = CloudEvent(
        {"id": f"e{number}", "type": "t", "source": "s"}, data or {"order_id": f"o{number}"}
    )
    await letters.refuse(TOPIC, event, reason, f"o{number}")


async def test_markup_in_payload_and_reason_shows_as_text(
    letters: DeadLetters, olga: Visitor
) -> None:
    """Nothing in a published event becomes part of the page's markup."""
    await refuse(letters, 1, {"note": MARKUP, "\u202eevil": "\u0007"}, reason=MARKUP)

    page = (await olga.get(PATH)).text

    assert MARKUP not in page
    assert page.count("&lt;script&gt;") == 2
    assert "\u202e" not in page
    assert "\\u202eevil" in page


async def test_a_long_payload_is_truncated(letters: DeadLetters, olga: Visitor) -> None:
    """The page stays small, whatever was published."""
    await refuse(letters, 1, {"note": "x" * 200_000})

    page = (await olga.get(PATH)).text

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


async def test_a_service_may_show_dead_letters_to_operators_only(visited: Visited) -> None:
    """Viewers then do not see payloads."""
    assert (await (await visited.visitor("vera")).get("/strict")).status_code == 403
    assert (await (await visited.visitor("olga")).get("/strict")).status_code == 200


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
