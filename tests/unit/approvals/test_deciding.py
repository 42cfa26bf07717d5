"""Deciding on the pages: what counts, what does not, and what is asked twice."""

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
    return (await site.inbox.read(order_id)).status


async def approval(site: ApprovalSite, order_id: str = "o-1") -> Approval:
    return await site.inbox.read(order_id)


async def audited(site: ApprovalSite) -> list[AuditEntry]:
    """Read the decisions in the audit trail, the newest first."""
    assert site.access.audit is not None
    entries = await site.access.audit.page(100, None)
    return [entry for entry in entries if entry.action.startswith("approval")]


def outcome(page: str) -> str:
    """Read what stands at the top of a page, without its markup."""
    found = re.search(r'<div id="outcome"[^>]*>(.*?)<div id="inbox"', page, re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[1])).strip()


@pytest.mark.parametrize(
    ("choice", "status", "told"),
    [("approve", "approved", "You approved it."), ("deny", "denied", "You denied it.")],
)
async def test_a_decision_is_told_on_the_inbox(
    site: ApprovalSite, ada: Person, choice: str, status: str, told: str
) -> None:
    """Whoever decides comes back to the inbox, with the outcome at its top; reloading is safe."""
    await site.ask("o-1")

    answer = await ada.decide("o-1", choice, " fine\r\nby me ")
    page = await ada.look(answer.headers["location"])

    assert answer.status_code == 303
    assert outcome(page) == f"Order o-1 , $60,000.00: {told}"
    assert "Nothing waits for you." in page
    decided = await approval(site)
    assert (decided.status, decided.approver, decided.comment) == (status, "ada", "fine\nby me")


async def test_the_approver_is_who_signed_in(site: ApprovalSite, ada: Person) -> None:
    """A field of the form cannot make it somebody else."""
    await site.ask("o-1")

    await ada.send("/inbox/requests/o-1/decision", decision="approve", approver="bob")

    assert (await approval(site)).approver == "ada"


async def test_a_decision_is_in_the_audit_trail(site: ApprovalSite, ada: Person) -> None:
    """Who decided what, and that a session told so; a repetition adds nothing."""
    await site.ask("o-1")

    await ada.decide("o-1", "deny", "too much")
    await ada.decide("o-1", "deny", "too much")

    (entry,) = await audited(site)
    assert (entry.actor, entry.via, entry.subject) == ("ada", "session", "o-1")
    assert (entry.action, entry.outcome) == ("approval.deny", "done")
    assert entry.details == {"comment": "too much"}


@pytest.mark.parametrize("name", ["vera", "otto"])
async def test_only_approvers_decide(site: ApprovalSite, name: str) -> None:
    """A viewer and an operator are refused, whichever form they send."""
    await site.ask("o-1")
    async with site.signed_in(name) as person:
        for form in ("decision", "confirm"):
            path = f"/inbox/requests/o-1/{form}"
            answer = await person.send(path, decision="approve", sure="yes")
            assert answer.status_code == 403
        await person.look("/inbox/requests/o-1/confirm?decision=approve", 403)

    assert await status_of(site) == "pending"


@pytest.mark.parametrize("csrf", ["", "guessed"])
async def test_a_form_of_another_session_does_nothing(
    site: ApprovalSite, ada: Person, csrf: str
) -> None:
    """Without the session's own text nothing is decided."""
    await site.ask("o-1")

    answer = await ada.client.post(
        "/inbox/requests/o-1/decision", data={"csrf": csrf, "decision": "approve"}
    )

    assert answer.status_code == 403
    assert await status_of(site) == "pending"


async def test_nothing_is_decided_by_looking(site: ApprovalSite, ada: Person) -> None:
    """A link cannot decide, not even to the page that asks."""
    await site.ask("o-1", total_cents=LARGE)

    await ada.look("/inbox/requests/o-1/confirm?decision=approve&sure=yes&total_cents=16500000")
    await ada.look("/inbox/requests/o-1/decision?decision=approve", 303)

    assert await status_of(site) == "pending"


async def test_somebody_else_was_first(site: ApprovalSite, ada: Person) -> None:
    """Who comes second is told who decided, how, when and why."""
    await site.ask("o-1")
    await site.decide("o-1", "bob", "too <much>", approved=False)

    answer = await ada.decide("o-1", "approve")

    assert answer.status_code == 409
    assert outcome(answer.text) == (
        "Your approval of order o-1 did not count. bob denied it. 2026-03-01 12:00:00 UTC "
        "“too &lt;much&gt;”"
    )
    assert (await approval(site)).approver == "bob"


async def test_the_time_was_over(site: ApprovalSite, ada: Person) -> None:
    """A decision after the deadline is told so, with the deadline."""
    await site.ask("o-1", minutes=5)
    site.clock.pass_by(minutes=6)

    answer = await ada.decide("o-1", "deny")

    assert answer.status_code == 409
    assert outcome(answer.text) == (
        "Your denial of order o-1 did not count. Its time was over before it was decided. "
        "2026-03-01 12:05:00 UTC"
    )


async def test_the_order_no_longer_waits(site: ApprovalSite, ada: Person) -> None:
    """A decision about an order that was cancelled is told why."""
    await site.ask("o-1")
    await site.withdraw("o-1", "cancelled_on_request")

    answer = await ada.decide("o-1", "approve")

    assert answer.status_code == 409
    assert "The order no longer waits for approval: cancelled on request." in outcome(answer.text)


async def test_nobody_decides_twice(site: ApprovalSite, ada: Person) -> None:
    """Who approved first of two is told that somebody else must decide."""
    await site.ask("o-1", levels=2)
    await ada.decide("o-1", "approve")

    again = await ada.decide("o-1", "approve")
    other_mind = await ada.decide("o-1", "deny")

    assert again.status_code == 303
    assert other_mind.status_code == 409
    assert "You approved it before: somebody else must decide now." in outcome(other_mind.text)
    assert await status_of(site) == "pending"


@pytest.mark.parametrize(
    "fields", [{}, {"decision": "maybe"}, {"decision": "approve", "comment": "x" * 2001}]
)
async def test_what_makes_no_sense_is_refused(
    site: ApprovalSite, ada: Person, fields: dict[str, str]
) -> None:
    """A form that no page has sent decides nothing."""
    await site.ask("o-1")

    answer = await ada.send("/inbox/requests/o-1/decision", **fields)

    assert answer.status_code == 422
    assert await status_of(site) == "pending"


async def test_an_unknown_order_cannot_be_decided(ada: Person) -> None:
    """Nobody has asked for it."""
    assert (await ada.decide("no-such", "approve")).status_code == 404


async def test_a_large_sum_is_asked_about(site: ApprovalSite, ada: Person) -> None:
    """The form leads to a page that repeats what is at stake, begins at the way back, and asks."""
    await site.ask("o-1", total_cents=LARGE)
    inbox = await ada.look("/")
    page = await ada.look("/inbox/requests/o-1/confirm?decision=approve&comment=a+%3Cb%3E")

    assert 'action="/inbox/requests/o-1/confirm" method="get"' in inbox
    assert "Approve $165,000.00?" in page
    assert "Yes, I approve $165,000.00 for order o-1." in page
    assert re.search(r'<a role="button"[^>]* href="/" autofocus>', page)
    assert 'name="comment" value="a &lt;b&gt;"' in page
    assert page.count("autofocus") == 1


async def test_a_large_sum_is_decided_only_when_sure(site: ApprovalSite, ada: Person) -> None:
    """The first form leads to the question; without the tick, or for another sum, it asks again."""
    await site.ask("o-1", total_cents=LARGE)
    path = "/inbox/requests/o-1/confirm"
    fields = {"decision": "deny", "comment": "no & never", "total_cents": str(LARGE)}

    first = await ada.decide("o-1", "deny", "no & never")
    asked = await ada.look(first.headers["location"])
    unsure = await ada.send(path, **fields)
    other_sum = await ada.send(path, **{**fields, "total_cents": "1"}, sure="yes")
    before = await status_of(site)
    sure = await ada.send(path, **fields, sure="yes")

    assert first.status_code == 303
    assert "“no &amp; never”" in asked
    assert [unsure.status_code, other_sum.status_code] == [422, 422]
    assert "Tick the box" in unsure.text
    assert 'value="no &amp; never"' in unsure.text
    assert before == "pending"
    assert sure.status_code == 303
    assert (await approval(site)).comment == "no & never"


async def test_a_question_that_is_answered_already_is_not_asked(
    site: ApprovalSite, ada: Person
) -> None:
    """Who comes to confirm what somebody else has decided meanwhile is told so."""
    await site.ask("o-1", total_cents=LARGE)
    await site.decide("o-1", "bob")

    asked = await ada.client.get("/inbox/requests/o-1/confirm?decision=deny")
    sent = await ada.send("/inbox/requests/o-1/confirm", decision="deny", sure="yes")

    assert asked.headers["location"] == "/inbox/requests/o-1"
    assert sent.status_code == 409
    assert "bob approved it." in outcome(sent.text)


async def test_what_is_large_is_a_setting(tmp_path: Path, database: Database) -> None:
    """Where the limit is higher, the same sum is decided at once."""
    site = ApprovalSite(tmp_path, database, Clock(NOON), confirm_from_cents=LARGE + 1)
    await site.ask("o-1", total_cents=LARGE)
    async with site.signed_in("ada") as ada:
        answer = await ada.decide("o-1", "approve")

    assert answer.headers["location"] == "/?done=o-1"
    assert await status_of(site) == "approved"


async def test_a_page_with_scripts_is_answered_in_place(site: ApprovalSite, ada: Person) -> None:
    """The answer holds the outcome and what the page showed before, without going elsewhere."""
    for order_id in ("o-1", "o-2"):
        await site.ask(order_id)
    await site.decide("o-2", "bob")
    live = {"HX-Request": "true"}
    path = "/inbox/requests/o-1/decision"

    answer = await ada.send(path, live, decision="approve", shown=["o-1", "o-2"])
    refused = await ada.send(path, live, decision="deny", shown=["o-1"])
    await site.ask("o-3", total_cents=LARGE)
    large = await ada.send("/inbox/requests/o-3/decision", live, decision="approve")

    assert answer.status_code == 200
    assert "You approved it." in outcome(answer.text)
    assert "bob approved it." in answer.text
    assert refused.status_code == 409
    assert "Your denial of order o-1 did not count. ada approved it." in outcome(refused.text)
    assert large.headers["hx-redirect"].startswith("/inbox/requests/o-3/confirm?")
