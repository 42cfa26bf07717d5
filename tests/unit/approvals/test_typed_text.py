"""A typed comment is never lost when a form is rejected, and never resubmitted by itself."""

import html
import re

import httpx
import pytest

from approvals.decisions.service import ApprovalService
from fakes.approval_site import PASSWORD, ApprovalSite, Person
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.database import DatabaseUnavailable

COMMENT = 'First <b>line</b> & "quotes"\r\nsecond ünïcode line'
DECISION = "/inbox/requests/o-1/decision"
LARGE = 165_000_00


async def submit_after_the_session(site: ApprovalSite, **fields: str) -> httpx.Response:
    """Submit a form from a page whose session has ended."""
    async with site.browser() as client:
        return await client.post(DECISION, data={"csrf": "of-before", **fields})


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of the sign-in page."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def typed_comment(page: str) -> str:
    """Return the content of the comment field."""
    found = re.search(r'<textarea [^>]*name="comment"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found is not None, page
    return html.unescape(found[1])


async def test_a_comment_survives_the_end_of_its_session(site: ApprovalSite) -> None:
    """After signing in, the comment is in its field again, and nothing was decided."""
    await site.add_request("o-1")

    refused = await submit_after_the_session(site, decision="approve", comment=COMMENT)
    fields = hidden(refused.text)
    async with site.browser() as client:
        sign_in = {"name": "ada", "password": PASSWORD, **fields}
        wrong = await client.post("/sign-in", data={**sign_in, "password": "wrong"})
        assert hidden(wrong.text) == fields
        page = await client.post("/sign-in", data=sign_in)

        assert (refused.status_code, page.status_code) == (401, 200)
        assert "you had been signed out" in page.text
        assert "First <b>" not in page.text
        assert typed_comment(page.text) == COMMENT
        assert (await site.service.read("o-1")).status is ApprovalStatus.PENDING
        assert "of-before" not in refused.text + page.text
        assert len(page.headers.get_list("set-cookie")) == 1

        csrf = hidden(page.text)["csrf"]
        sent = {"csrf": csrf, "decision": "approve", "comment": typed_comment(page.text)}
        decided = await client.post(DECISION, data=sent)

    assert decided.status_code == 303
    assert (await site.service.read("o-1")).comment == COMMENT.replace("\r\n", "\n")


async def test_an_htmx_response_is_replaced_by_the_sign_in_page(site: ApprovalSite) -> None:
    """A form submitted by htmx keeps its text as well."""
    await site.add_request("o-1")
    async with site.browser() as client:
        headers = {"HX-Request": "true", "HX-Current-URL": "http://approvals/"}
        refused = await client.post(DECISION, data={"comment": COMMENT}, headers=headers)

    assert refused.headers["HX-Retarget"] == "body"
    assert "#content" in refused.headers["HX-Reselect"]
    assert '"comment", "First' in hidden(refused.text)["refused"]


@pytest.mark.parametrize("part", [False, True])
async def test_a_form_of_an_earlier_session_keeps_its_text(
    site: ApprovalSite, ada: Person, *, part: bool
) -> None:
    """After signing in again in another tab, the text can be submitted from there."""
    await site.add_request("o-1")
    headers = {"HX-Request": "true"} if part else {}
    data = {"csrf": "of-before", "decision": "deny", "comment": COMMENT}

    page = await ada.client.post(DECISION, data=data, headers=headers)

    assert page.status_code == 403
    assert typed_comment(page.text) == COMMENT
    assert hidden(page.text)["csrf"] != "of-before"
    assert (page.headers.get("HX-Retarget") == "body") is part


async def test_a_comment_that_is_too_long_keeps_its_text(site: ApprovalSite, ada: Person) -> None:
    """It can be shortened instead of being typed again."""
    await site.add_request("o-1")
    comment = "x" * 2001

    page = await ada.decide("o-1", "approve", comment)

    assert page.status_code == 422
    assert typed_comment(page.text) == comment
    assert "Nothing was done" in page.text


@pytest.mark.parametrize("end", ["decided", "withdrawn", "expired"])
async def test_a_rejected_decision_shows_its_comment(
    site: ApprovalSite, ada: Person, end: str
) -> None:
    """The page shows the comment that was not recorded."""
    await site.add_request("o-1")
    if end == "decided":
        await site.decide("o-1", "bob")
    elif end == "withdrawn":
        await site.withdraw("o-1", "cancelled")
    else:
        site.clock.advance(days=2)

    page = await ada.decide("o-1", "deny", COMMENT)

    assert page.status_code == 409
    assert "Your comment was not recorded" in page.text
    assert "second ünïcode line" in page.text


async def test_a_comment_survives_an_unavailable_database(
    site: ApprovalSite, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error page shows the text, and can submit it again."""
    await site.add_request("o-1")

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("unavailable")

    monkeypatch.setattr(ApprovalService, "decide_existing", fail)

    page = await ada.decide("o-1", "approve", COMMENT)

    assert page.status_code == 503
    assert hidden(page.text)["comment"] == COMMENT
    assert f'action="{DECISION}"' in page.text


async def test_a_comment_survives_a_removed_role(site: ApprovalSite, vera: Person) -> None:
    """It is shown so that it can be copied, and cannot be submitted."""
    await site.add_request("o-1")

    page = await vera.decide("o-1", "approve", COMMENT)

    assert page.status_code == 403
    assert "second ünïcode line" in page.text
    assert "Send it again" not in page.text


async def test_a_large_amount_is_confirmed_again(site: ApprovalSite, ada: Person) -> None:
    """The confirmation page keeps the choice and the comment, but not the tick."""
    await site.add_request("o-1", total_cents=LARGE)
    confirm = "/inbox/requests/o-1/confirm"
    sent = {"decision": "deny", "comment": COMMENT, "sure": "yes", "total_cents": str(LARGE)}
    async with site.browser() as client:
        refused = await client.post(confirm, data={"csrf": "of-before", **sent})
        sign_in = {"name": ada.name, "password": PASSWORD, **hidden(refused.text)}
        page = await client.post("/sign-in", data=sign_in)

    assert "Deny $165,000.00?" in page.text
    assert hidden(page.text)["comment"] == COMMENT
    assert 'value="yes" required checked' not in page.text
    assert (await site.service.read("o-1")).status is ApprovalStatus.PENDING


async def test_a_long_comment_on_a_large_amount_survives_its_session(site: ApprovalSite) -> None:
    """The page carries the comment, because it may be too long for a link."""
    await site.add_request("o-1", total_cents=LARGE)
    wanted = httpx.URL(
        "/inbox/requests/o-1/confirm", params={"decision": "deny", "comment": "字" * 2000}
    )
    async with site.browser() as client:
        asked = await client.get(wanted)
        sign_in = {"name": "ada", "password": PASSWORD, **hidden(asked.text)}
        answer = await client.post("/sign-in", data=sign_in)

    assert asked.status_code == 401
    assert answer.headers["location"] == str(wanted)


async def test_text_from_another_site_is_not_kept(site: ApprovalSite, ada: Person) -> None:
    """No page is filled with text that another site submitted."""
    await site.add_request("o-1")
    headers = {"Origin": "http://evil.example"}

    page = await ada.client.post(DECISION, data={"comment": "mischief"}, headers=headers)

    assert page.status_code == 403
    assert "mischief" not in page.text
