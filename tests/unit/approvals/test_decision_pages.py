"""Deciding on the pages: accepted, rejected and confirmed decisions."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fakes.approval_site import ApprovalSite, Clock, Person
from orderflow_contracts.approvals import Approval, ApprovalStatus
from orderflow_hosting.access import AuditEntry
from orderflow_hosting.database import Database

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LARGE = 165_000_00


async def status_of(site: ApprovalSite, order_id: str = "o-1") -> ApprovalStatus:
    return (await site.service.read(order_id)).status


async def approval(site: ApprovalSite, order_id: str = "o-1") -> Approval:
    return await site.service.read(order_id)


async def audited(site: ApprovalSite) -> list[AuditEntry]:
    """Return the decisions in the audit trail, newest first."""
    assert site.access.audit is not None
    entries = await site.access.audit.page(100, None)
    return [entry for entry in entries if entry.action.startswith("approval")]


def outcome(page: str) -> str:
    """Return the text of the outcome at the top of a page."""
    found = re.search(r'<div id="outcome"[^>]*>(.*?)<div id="inbox"', page, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[1])).strip()


@pytest.mark.parametrize(
    ("choice", "status", "message"),
    [("approve", "approved", "You approved it."), ("deny", "denied", "You denied it.")],
)
async def test_the_inbox_shows_the_outcome_of_a_decision(
    site: ApprovalSite, ada: Person, choice: str, status: str, message: str
) -> None:
    """After a decision the inbox shows the outcome at the top, and reloading is safe."""
    await site.add_request("o-1")

    answer = await ada.decide("o-1", choice, " fine\r\nby me ")
    page = await ada.get(answer.headers["location"])

    assert answer.status_code == 303
    assert outcome(page) == f"Order o-1 , $60,000.00: {message}"
    assert "No pending approvals." in page
    decided = await approval(site)
    assert (decided.status, decided.approver, decided.comment) == (status, "ada", "fine\nby me")


async def test_the_approver_is_the_signed_in_user(site: ApprovalSite, ada: Person) -> None:
    """A form field cannot change the approver."""
    await site.add_request("o-1")

    await ada.send("/inbox/requests/o-1/decision", decision="approve", approver="bob")

    assert (await approval(site)).approver == "ada"


async def test_a_decision_is_in_the_audit_trail(site: ApprovalSite, ada: Person) -> None:
    """The entry has the approver, the session and the comment; a repetition adds nothing."""
    await site.add_request("o-1")

    await ada.decide("o-1", "deny", "too much")
    await ada.decide("o-1", "deny", "too much")

    (entry,) = await audited(site)
    assert (entry.actor, entry.via, entry.subject) == ("ada", "session", "o-1")
    assert (entry.action, entry.outcome) == ("approval.deny", "done")
    assert entry.details == {"comment": "too much"}


@pytest.mark.parametrize("name", ["vera", "otto"])
async def test_only_approvers_decide(site: ApprovalSite, name: str) -> None:
    """A viewer and an operator are rejected, whichever form they submit."""
    await site.add_request("o-1")
    async with site.signed_in(name) as person:
        for form in ("decision", "confirm"):
            path = f"/inbox/requests/o-1/{form}"
            answer = await person.send(path, decision="approve", sure="yes")
            assert answer.status_code == 403
        await person.get("/inbox/requests/o-1/confirm?decision=approve", 403)

    assert await status_of(site) == "pending"


@pytest.mark.parametrize("csrf", ["", "guessed"])
async def test_a_form_without_the_csrf_token_is_rejected(
    site: ApprovalSite, ada: Person, csrf: str
) -> None:
    """Without the session's CSRF token nothing is decided."""
    await site.add_request("o-1")

    answer = await ada.client.post(
        "/inbox/requests/o-1/decision", data={"csrf": csrf, "decision": "approve"}
    )

    assert answer.status_code == 403
    assert await status_of(site) == "pending"


async def test_a_get_request_decides_nothing(site: ApprovalSite, ada: Person) -> None:
    """A link cannot decide, not even one to the confirmation page."""
    await site.add_request("o-1", total_cents=LARGE)

    await ada.get("/inbox/requests/o-1/confirm?decision=approve&sure=yes&total_cents=16500000")
    await ada.get("/inbox/requests/o-1/decision?decision=approve", 303)

    assert await status_of(site) == "pending"


async def test_a_second_decision_is_rejected(site: ApprovalSite, ada: Person) -> None:
    """The second approver sees who decided first, how, when and why."""
    await site.add_request("o-1")
    await site.decide("o-1", "bob", "too <much>", approved=False)

    answer = await ada.decide("o-1", "approve")

    assert answer.status_code == 409
    assert outcome(answer.text) == (
        "Your approval of order o-1 was not recorded. Denied by bob. 2026-03-01 12:00:00 UTC "
        "“too &lt;much&gt;”"
    )
    assert (await approval(site)).approver == "bob"


async def test_a_decision_after_the_deadline_is_rejected(site: ApprovalSite, ada: Person) -> None:
    """The message gives the deadline."""
    await site.add_request("o-1", minutes=5)
    site.clock.advance(minutes=6)

    answer = await ada.decide("o-1", "deny")

    assert answer.status_code == 409
    assert outcome(answer.text) == (
        "Your denial of order o-1 was not recorded. Expired before a decision was made. "
        "2026-03-01 12:05:00 UTC"
    )


async def test_a_decision_about_a_withdrawn_request_is_rejected(
    site: ApprovalSite, ada: Person
) -> None:
    """The message gives the reason of the withdrawal."""
    await site.add_request("o-1")
    await site.withdraw("o-1", "cancelled_on_request")

    answer = await ada.decide("o-1", "approve")

    assert answer.status_code == 409
    assert "Withdrawn: cancelled on request." in outcome(answer.text)


async def test_the_first_of_two_approvers_cannot_decide_again(
    site: ApprovalSite, ada: Person
) -> None:
    """The first approver sees that a second approver must decide."""
    await site.add_request("o-1", levels=2)
    await ada.decide("o-1", "approve")

    again = await ada.decide("o-1", "approve")
    changed_mind = await ada.decide("o-1", "deny")

    assert again.status_code == 303
    assert changed_mind.status_code == 409
    assert "You have already approved it: a second approver must decide." in outcome(
        changed_mind.text
    )
    assert await status_of(site) == "pending"


@pytest.mark.parametrize(
    "fields", [{}, {"decision": "maybe"}, {"decision": "approve", "comment": "x" * 2001}]
)
async def test_an_invalid_form_is_rejected(
    site: ApprovalSite, ada: Person, fields: dict[str, str]
) -> None:
    """An invalid form decides nothing."""
    await site.add_request("o-1")

    answer = await ada.send("/inbox/requests/o-1/decision", **fields)

    assert answer.status_code == 422
    assert await status_of(site) == "pending"


async def test_an_unknown_order_cannot_be_decided(ada: Person) -> None:
    """No approval was requested for it."""
    assert (await ada.decide("no-such", "approve")).status_code == 404


async def test_a_large_amount_needs_confirmation(site: ApprovalSite, ada: Person) -> None:
    """The confirmation page repeats the facts, and focuses the link that cancels."""
    await site.add_request("o-1", total_cents=LARGE)
    inbox = await ada.get("/")
    page = await ada.get("/inbox/requests/o-1/confirm?decision=approve&comment=a+%3Cb%3E")

    assert 'action="/inbox/requests/o-1/confirm" method="get"' in inbox
    assert "Approve $165,000.00?" in page
    assert "Yes, I approve $165,000.00 for order o-1." in page
    assert re.search(r'<a role="button"[^>]* href="/" autofocus>', page)
    assert 'name="comment" value="a &lt;b&gt;"' in page
    assert page.count("autofocus") == 1


async def test_a_large_amount_is_decided_only_when_confirmed(
    site: ApprovalSite, ada: Person
) -> None:
    """Without the tick, or for another amount, the confirmation page is shown again."""
    await site.add_request("o-1", total_cents=LARGE)
    path = "/inbox/requests/o-1/confirm"
    fields = {"decision": "deny", "comment": "no & never", "total_cents": str(LARGE)}

    first = await ada.decide("o-1", "deny", "no & never")
    asked = await ada.get(first.headers["location"])
    unconfirmed = await ada.send(path, **fields)
    other_amount = await ada.send(path, **{**fields, "total_cents": "1"}, sure="yes")
    before = await status_of(site)
    confirmed = await ada.send(path, **fields, sure="yes")

    assert first.status_code == 303
    assert "“no &amp; never”" in asked
    assert [unconfirmed.status_code, other_amount.status_code] == [422, 422]
    assert "Tick the box" in unconfirmed.text
    assert 'value="no &amp; never"' in unconfirmed.text
    assert before == "pending"
    assert confirmed.status_code == 303
    assert (await approval(site)).comment == "no & never"


async def test_a_decided_request_is_not_confirmed_again(site: ApprovalSite, ada: Person) -> None:
    """If somebody else decided in the meantime, the confirmation shows that decision."""
    await site.add_request("o-1", total_cents=LARGE)
    await site.decide("o-1", "bob")

    asked = await ada.client.get("/inbox/requests/o-1/confirm?decision=deny")
    sent = await ada.send("/inbox/requests/o-1/confirm", decision="deny", sure="yes")

    assert asked.headers["location"] == "/inbox/requests/o-1"
    assert sent.status_code == 409
    assert "Approved by bob." in outcome(sent.text)


async def test_the_confirmation_limit_is_a_setting(tmp_path: Path, database: Database) -> None:
    """With a higher limit, the same amount needs no confirmation."""
    site = ApprovalSite(tmp_path, database, Clock(NOON), confirm_from_cents=LARGE + 1)
    await site.add_request("o-1", total_cents=LARGE)
    async with site.signed_in("ada") as ada:
        answer = await ada.decide("o-1", "approve")

    assert answer.headers["location"] == "/?done=o-1"
    assert await status_of(site) == "approved"


async def test_htmx_requests_are_answered_in_place(site: ApprovalSite, ada: Person) -> None:
    """The response contains the outcome and the displayed requests, without a redirect."""
    for order_id in ("o-1", "o-2"):
        await site.add_request(order_id)
    await site.decide("o-2", "bob")
    live = {"HX-Request": "true"}
    path = "/inbox/requests/o-1/decision"

    answer = await ada.send(path, live, decision="approve", shown=["o-1", "o-2"])
    refused = await ada.send(path, live, decision="deny", shown=["o-1"])
    await site.add_request("o-3", total_cents=LARGE)
    large = await ada.send("/inbox/requests/o-3/decision", live, decision="approve")

    assert answer.status_code == 200
    assert "You approved it." in outcome(answer.text)
    assert "Approved by bob." in answer.text
    assert refused.status_code == 409
    assert "Your denial of order o-1 was not recorded. Approved by ada." in outcome(refused.text)
    assert large.headers["hx-redirect"].startswith("/inbox/requests/o-3/confirm?")
