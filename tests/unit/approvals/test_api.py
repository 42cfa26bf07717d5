from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from approvals import domain
from approvals.decisions.api import approval_router, http_app
from approvals.decisions.service import ApprovalService
from approvals.decisions.store import SqlApprovalStore
from fakes.access import opened
from orderflow_contracts.approvals import ApprovalRequested, ApprovalWithdrawn, DecisionMade
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.database import Database

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RULES = [
    each
    for each in vars(domain).values()
    if isinstance(each, type) and issubclass(each, domain.RuleViolation)
]
"""Every refusal of the rules, and their base."""
FOR_EVENTS = {domain.RuleViolation, domain.ConflictingRequest}
"""Those that no decision of a person can cause: requests arrive as events only."""
YES = {"approved": True, "approver": "ada", "comment": "fine"}
NO = {"approved": False, "approver": "ada", "comment": "fine"}


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        """Return the time that was set."""
        return self.time


class FakeSender:
    """Records the orders whose decisions were sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, order_id: str) -> None:
        """Record the order."""
        self.sent.append(order_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def service(store: SqlApprovalStore, sender: FakeSender, clock: Clock) -> ApprovalService:
    return ApprovalService(store, sender, clock)


@pytest.fixture
async def people(service: ApprovalService) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened(http_app(approval_router(service))))
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


async def test_a_request_has_the_documented_fields(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """An approval has all fields; those of the decision are null while it is pending."""
    await service.add_request(request())

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


async def test_two_approvals_are_needed(
    people: httpx.AsyncClient, service: ApprovalService, sender: FakeSender
) -> None:
    """The first approval leaves it pending; repeating it changes nothing."""
    await service.add_request(request().model_copy(update={"levels": 2}))
    path = "/approvals/o-1/decision"

    first = await people.post(path, json=YES)
    again = await people.post(path, json={**YES, "approver": " ADA"})
    changed_mind = await people.post(path, json=NO)
    sent_before = list(sender.sent)
    second = await people.post(path, json={**YES, "approver": "bob", "comment": ""})

    assert (first.status_code, first.json()["status"], first.json()["approver"]) == (
        200,
        "pending",
        None,
    )
    assert (again.status_code, again.json()) == (200, first.json())
    assert problem(changed_mind) == (409, "DECISION_STANDS")
    assert sent_before == []
    assert sender.sent == ["o-1"]
    assert (second.json()["status"], second.json()["approver"]) == ("approved", "bob")
    common = {"approved": True, "decided_at": "2026-03-01T12:00:00Z"}
    assert second.json()["decisions"] == [
        {"level": 1, "approver": "ada", "comment": "fine", **common},
        {"level": 2, "approver": "bob", "comment": "", **common},
    ]


async def test_the_same_approval_after_the_deadline_has_expired(
    people: httpx.AsyncClient, service: ApprovalService, clock: Clock
) -> None:
    """Repeating the first of two approvals is rejected after the deadline."""
    await service.add_request(request().model_copy(update={"levels": 2}))
    await people.post("/approvals/o-1/decision", json=YES)
    clock.time = NOON + timedelta(hours=1)

    again = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(again) == (409, "APPROVAL_EXPIRED")


async def test_a_decision_is_stored_and_sent_to_orders(
    people: httpx.AsyncClient, service: ApprovalService, sender: FakeSender
) -> None:
    """The response is the updated approval, and the decision is sent to orders."""
    await service.add_request(request())

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert response.status_code == 200
    decided = response.json()
    assert (decided["status"], decided["approver"], decided["comment"]) == (
        "approved",
        "ada",
        "fine",
    )
    assert decided["decided_at"] == "2026-03-01T12:00:00Z"
    assert sender.sent == ["o-1"]


async def test_repeating_a_decision_is_accepted_and_a_different_one_is_not(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """The first decision stands."""
    await service.add_request(request())
    first = await people.post("/approvals/o-1/decision", json=YES)

    again = await people.post("/approvals/o-1/decision", json=YES)
    other = await people.post("/approvals/o-1/decision", json=NO)

    assert (again.status_code, again.json()) == (200, first.json())
    assert problem(other) == (409, "DECISION_STANDS")


async def test_a_decision_about_an_unknown_order_is_not_stored(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """A decision over HTTP without a request is rejected and has no later effect."""
    decision = await people.post("/approvals/o-1/decision", json=YES)
    await service.add_request(request())

    assert problem(decision) == (404, "APPROVAL_NOT_FOUND")
    assert problem(await people.get("/approvals/o-2")) == (404, "APPROVAL_NOT_FOUND")
    assert (await people.get("/approvals/o-1")).json()["status"] == "pending"


@pytest.mark.parametrize("path", ["/approvals/no.such", "/approvals/%00", "/approvals/" + "x" * 65])
async def test_an_invalid_order_id_is_not_found(people: httpx.AsyncClient, path: str) -> None:
    """An invalid ID is answered like an unknown one, and never reaches the database."""
    assert problem(await people.get(path)) == (404, "APPROVAL_NOT_FOUND")


async def test_an_early_decision_is_not_listed(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """A decision that arrives by topic before its request creates no visible approval."""
    await service.decide(DecisionMade(order_id="o-1", approved=True, approver="ada"))

    assert problem(await people.get("/approvals/o-1")) == (404, "APPROVAL_NOT_FOUND")
    assert (await people.get("/approvals")).json() == {"items": [], "next": None}


async def test_an_expired_request_rejects_decisions(
    people: httpx.AsyncClient, service: ApprovalService, clock: Clock
) -> None:
    """From its deadline on, a request is expired and rejects decisions."""
    await service.add_request(request())
    clock.time = NOON + timedelta(hours=1)

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(response) == (409, "APPROVAL_EXPIRED")
    assert (await people.get("/approvals/o-1")).json()["status"] == "expired"


async def test_a_withdrawn_request_rejects_decisions(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """A withdrawn request rejects decisions and gives the reason."""
    await service.add_request(request())
    await service.withdraw(ApprovalWithdrawn(order_id="o-1", reason="cancelled_on_request"))

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert problem(response) == (409, "APPROVAL_WITHDRAWN")
    assert "cancelled_on_request" in response.json()["detail"]


async def test_repeating_a_late_decision_is_rejected(
    people: httpx.AsyncClient, service: ApprovalService
) -> None:
    """Repeating a decision that a withdrawal overruled reports that it was too late."""
    await service.add_request(request())
    await people.post("/approvals/o-1/decision", json=YES)
    await service.withdraw(ApprovalWithdrawn(order_id="o-1", reason="approval_expired"))

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
    people: httpx.AsyncClient, service: ApprovalService, body: object, field: str
) -> None:
    """The error names the invalid field of the body, and nothing is decided."""
    await service.add_request(request())

    response = await people.post("/approvals/o-1/decision", json=body)

    assert problem(response) == (422, "INVALID_INPUT")
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await people.get("/approvals/o-1")).json()["status"] == "pending"


async def test_pages_have_no_gaps(people: httpx.AsyncClient, service: ApprovalService) -> None:
    """Pending approvals are listed by earliest deadline, even while some are decided."""
    for number, minutes in enumerate([50, 10, 30, 20, 40]):
        await service.add_request(request(f"o-{number}", minutes))

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
    """The error names the invalid parameter."""
    response = await people.get(f"/approvals?{query}")

    assert problem(response) == (422, "INVALID_INPUT")
    assert response.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_an_unavailable_database_is_a_503(
    people: httpx.AsyncClient, database: Database
) -> None:
    """The response is a 503 problem document, not a traceback."""
    await database.write(lambda connection: connection.execute(text("DROP TABLE approvals")))

    assert problem(await people.get("/approvals")) == (503, "STORE_UNAVAILABLE")


async def test_the_api_is_documented(people: httpx.AsyncClient) -> None:
    """Every operation has a summary and its errors in OpenAPI."""
    document = (await people.get("/openapi.json")).json()

    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    decision = document["paths"]["/approvals/{order_id}/decision"]["post"]["responses"]
    assert {"200", "404", "409", "422", "503"} <= set(decision)
    schema = decision["422"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ProblemDocument"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in FOR_EVENTS])
async def test_every_refusal_of_the_rules_is_a_conflict_with_its_reason(
    rule: type[domain.RuleViolation],
    people: httpx.AsyncClient,
    service: ApprovalService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None of them is an unexpected error."""

    async def refuse(*_: object, **__: object) -> None:
        raise rule("the reason")

    monkeypatch.setattr(service, "decide_existing", refuse)

    response = await people.post("/approvals/o-1/decision", json=YES)

    assert response.status_code == 409
    assert response.json()["detail"] == "the reason"
