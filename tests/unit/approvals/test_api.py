from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from approvals.api import approval_router, http_app
from approvals.inbox import Inbox
from approvals.store import SqlApprovalStore
from fakes.access import opened
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
YES = {"approved": True, "approver": "ada", "comment": "fine"}
NO = {"approved": False, "approver": "ada", "comment": "fine"}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        """Tell the time that it was set to."""
        return self.time


class FakeCarrier:
    """Notes whose decisions are to be handed over."""

    def __init__(self) -> None:
        self.offered: list[str] = []

    def offer(self, order_id: str) -> None:
        """Note the order."""
        self.offered.append(order_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def carrier() -> FakeCarrier:
    return FakeCarrier()


@pytest.fixture
def inbox(store: SqlApprovalStore, carrier: FakeCarrier, clock: Clock) -> Inbox:
    return Inbox(store, carrier, clock)


@pytest.fixture
async def people(inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened(http_app(approval_router(inbox))))
    async with httpx.AsyncClient(transport=transport, base_url="http://approvals") as client:
        yield client


def request(order_id: str = "o-1", minutes: int = 60) -> ApprovalRequested:
    return ApprovalRequested(
        order_id=order_id,
        customer_id="carol",
        lines=(OrderLine(item="cars", quantity=4),),
        total_cents=60_000_00,
        expires_at=NOON + timedelta(minutes=minutes),
    )


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    return response.status_code, document["code"]


async def test_a_request_reads_as_promised(people: httpx.AsyncClient, inbox: Inbox) -> None:
    """An approval has all its fields, null where nothing was decided yet."""
    await inbox.ask(request())

    response = await people.get("/approvals/o-1")

    assert response.status_code == 200
    assert response.json() == {
        "order_id": "o-1",
        "customer_id": "carol",
        "lines": [{"item": "cars", "quantity": 4}],
        "total_cents": 60_000_00,
        "status": "pending",
        "requested_at": "2026-03-01T12:00:00Z",
        "expires_at": "2026-03-01T13:00:00Z",
        "approver": None,
        "comment": None,
        "decided_at": None,
        "levels": 1,
        "decisions": [],
    }


async def test_two_people_approve(
    people: httpx.AsyncClient, inbox: Inbox, carrier: FakeCarrier
) -> None:
    """The first approval leaves it pending; the same person again changes nothing."""
    await inbox.ask(request().model_copy(update={"levels": 2}))
    path = "/approvals/o-1/decision"

    first = await people.post(path, json=YES)
    again = await people.post(path, json={**YES, "approver": " ADA"})
    other_mind = await people.post(path, json=NO)
    offered_before = list(carrier.offered)
    second = await people.post(path, json={**YES, "approver": "bob", "comment": ""})

    assert (first.status_code, first.json()["status"], first.json()["approver"]) == (
        200,
        "pending",
        None,
    )
    assert (again.status_code, again.json()) == (200, first.json())
    assert problem(other_mind) == (409, "DECISION_STANDS")
    assert offered_before == []
    assert carrier.offered == ["o-1"]
    assert (second.json()["status"], second.json()["approver"]) == ("approved", "bob")
    told = {"approved": True, "decided_at": "2026-03-01T12:00:00Z"}
    assert second.json()["decisions"] == [
        {"level": 1, "approver": "ada", "comment": "fine", **told},
        {"level": 2, "approver": "bob", "comment": "", **told},
    ]


async def test_the_same_approval_after_the_deadline_has_expired(
    people: httpx.AsyncClient, inbox: Inbox, clock: Clock
) -> None:
    """The first of two approvals is not fine again once the time is over."""
    await inbox.ask(request().model_copy(update={"levels": 2}))
    await people.post("/approvals/o-1/decision", json=YES)
    clock.time = NOON + timedelta(hours=1)

    again = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(again) == (409, "APPROVAL_EXPIRED")


async def test_a_decision_is_kept_and_offered_to_orders(
    people: httpx.AsyncClient, inbox: Inbox, carrier: FakeCarrier
) -> None:
    """A decision answers with the approval as it is now, and goes on its way."""
    await inbox.ask(request())

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert response.status_code == 200
    decided = response.json()
    assert (decided["status"], decided["approver"], decided["comment"]) == (
        "approved",
        "ada",
        "fine",
    )
    assert decided["decided_at"] == "2026-03-01T12:00:00Z"
    assert carrier.offered == ["o-1"]


async def test_the_same_decision_again_is_fine_and_another_is_not(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """The first decision stands."""
    await inbox.ask(request())
    first = await people.post("/approvals/o-1/decision", json=YES)

    again = await people.post("/approvals/o-1/decision", json=YES)
    other = await people.post("/approvals/o-1/decision", json=NO)

    assert (again.status_code, again.json()) == (200, first.json())
    assert problem(other) == (409, "DECISION_STANDS")


async def test_an_unknown_order_is_not_found_and_not_remembered(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """A decision by HTTP about an order that nobody asked about leaves no trace."""
    decision = await people.post("/approvals/o-1/decision", json=YES)
    await inbox.ask(request())

    assert problem(decision) == (404, "APPROVAL_NOT_FOUND")
    assert problem(await people.get("/approvals/o-2")) == (404, "APPROVAL_NOT_FOUND")
    assert (await people.get("/approvals/o-1")).json()["status"] == "pending"


@pytest.mark.parametrize("path", ["/approvals/no.such", "/approvals/%00", "/approvals/" + "x" * 65])
async def test_what_cannot_be_an_order_is_not_found(people: httpx.AsyncClient, path: str) -> None:
    """An impossible id is just unknown, and never reaches the database."""
    assert problem(await people.get(path)) == (404, "APPROVAL_NOT_FOUND")


async def test_a_kept_decision_is_not_a_known_request(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """A decision that came by topic before its request does not make the order known."""
    await inbox.decide(DecisionMade(order_id="o-1", approved=True, approver="ada"))

    assert problem(await people.get("/approvals/o-1")) == (404, "APPROVAL_NOT_FOUND")
    assert (await people.get("/approvals")).json() == {"items": [], "next": None}


async def test_an_expired_request_takes_no_decision(
    people: httpx.AsyncClient, inbox: Inbox, clock: Clock
) -> None:
    """From its deadline on a request reads as expired and refuses decisions."""
    await inbox.ask(request())
    clock.time = NOON + timedelta(hours=1)

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(response) == (409, "APPROVAL_EXPIRED")
    assert (await people.get("/approvals/o-1")).json()["status"] == "expired"


async def test_a_withdrawn_request_takes_no_decision(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """An order that no longer waits takes no decision."""
    await inbox.ask(request())
    await inbox.withdraw(ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request"))

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(response) == (409, "APPROVAL_WITHDRAWN")
    assert "cancelled_on_request" in response.json()["detail"]


async def test_a_decision_that_came_too_late_is_not_confirmed(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """Repeating a decision that lost against a withdrawal tells that it did not count."""
    await inbox.ask(request())
    await people.post("/approvals/o-1/decision", json=YES)
    await inbox.withdraw(ApprovalWithdrawn(order_id="o-1", reason="approval_expired"))

    again = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(again) == (409, "APPROVAL_EXPIRED")
    shown = (await people.get("/approvals/o-1")).json()
    assert (shown["status"], shown["approver"]) == ("expired", "ada")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"approver": "ada"}, "approved"),
        ({"approved": "yes", "approver": "ada"}, "approved"),
        ({"approved": 1, "approver": "ada"}, "approved"),
        ({"approved": True, "approver": ""}, "approver"),
        ({"approved": True, "approver": "a\nb"}, "approver"),
        ({"approved": True, "approver": "ada", "comment": "\x00"}, "comment"),
        ({"approved": True, "approver": "ada", "comment": "x" * 2001}, "comment"),
        ([], "body"),
    ],
)
async def test_an_invalid_decision_names_its_field(
    people: httpx.AsyncClient, inbox: Inbox, body: object, field: str
) -> None:
    """What is wrong with the body is told by field, and nothing is decided."""
    await inbox.ask(request())

    response = await people.post("/approvals/o-1/decision", json=body)

    assert problem(response) == (422, "INVALID_INPUT")
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await people.get("/approvals/o-1")).json()["status"] == "pending"


async def test_pages_follow_each_other_without_gaps(
    people: httpx.AsyncClient, inbox: Inbox
) -> None:
    """Pending ones are read nearest deadline first, page by page, while some are decided."""
    for number, minutes in enumerate([50, 10, 30, 20, 40]):
        await inbox.ask(request(f"o-{number}", minutes))

    first = (await people.get("/approvals?status=pending&limit=2")).json()
    await people.post("/approvals/o-3/decision", json=YES)
    second = (
        await people.get(
            "/approvals", params={"status": "pending", "limit": 2, "after": first["next"]}
        )
    ).json()
    third = (
        await people.get(
            "/approvals", params={"status": "pending", "limit": 2, "after": second["next"]}
        )
    ).json()

    pages = [[item["order_id"] for item in page["items"]] for page in (first, second, third)]
    assert pages == [["o-1", "o-3"], ["o-2", "o-4"], ["o-0"]]
    assert third["next"] is None


@pytest.mark.parametrize(
    "query", ["status=maybe", "limit=0", "limit=501", "after=%21%21", "after=eHl6", "after=%C3%A4"]
)
async def test_an_invalid_query_names_its_field(people: httpx.AsyncClient, query: str) -> None:
    """A list explains what is wrong with the question."""
    response = await people.get(f"/approvals?{query}")

    assert problem(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_a_database_that_is_away_is_a_503(
    people: httpx.AsyncClient, database: Database
) -> None:
    """People are told to come again, and get no traceback."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    assert problem(await people.get("/approvals")) == (503, "STORE_UNAVAILABLE")


async def test_the_api_is_described(people: httpx.AsyncClient) -> None:
    """Every operation has a summary and its problems in OpenAPI."""
    document = (await people.get("/openapi.json")).json()

    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    decision = document["paths"]["/approvals/{order_id}/decision"]["post"]["responses"]
    assert {"200", "404", "409", "422", "503"} <= set(decision)
    schema = decision["422"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ProblemDocument"}
