"""Deciding on a page: large sums are confirmed, and what does not count is explained."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from approvals.domain import RefusedByRule
from approvals.inbox import Inbox
from approvals.pages.desk import Desk
from approvals.pages.looking import Viewer, known, show_inbox
from approvals.pages.shown import Shown
from approvals.views import View
from orderflow_contracts.approvals import Decision
from orderflow_hosting.access import Principal, Role, form, page
from orderflow_hosting.problems import Problem, invalid_input
from orderflow_hosting.refused_forms import refused_form

APPROVE: Final = "approve"
DENY: Final = "deny"
WORDS: Final = {APPROVE: "approval", DENY: "denial"}

Approver = Annotated[Principal, page(Role.APPROVER)]
Deciding = Annotated[Principal, form(Role.APPROVER, None)]
Choice = Annotated[str, Form(max_length=20)]
Comment = Annotated[str, Form()]
Typed = Annotated[str, Form(max_length=30)]

_NOT_SURE: Final = "Tick the box to say that you are sure."


def add_deciding(router: APIRouter, desk: Desk, inbox: Inbox) -> None:
    """Add what the forms of requests do."""

    @router.get("/inbox/requests/{order_id}/confirm")
    async def confirm_page(
        request: Request, approver: Approver, order_id: str, decision: str = "", comment: str = ""
    ) -> Response:
        view = await known(desk, approver, order_id)
        if not view.can_decide:
            return RedirectResponse(_own_page(order_id), status_code=303)
        typed, action = refused_form(request), f"{_own_page(order_id)}/confirm"
        choice = _choice(decision or typed.value(action, "decision"))
        return _ask(desk, request, view, choice, comment or typed.value(action, "comment"))

    @router.get("/inbox/requests/{order_id}/decision")
    async def decision_page(order_id: str, _: Viewer) -> Response:
        """Lead back whoever asks anew for the page of a decision that did not count."""
        return RedirectResponse(_own_page(quote(order_id, safe="")), status_code=303)

    @router.post("/inbox/requests/{order_id}/decision")
    async def decide(
        request: Request,
        approver: Deciding,
        order_id: str,
        decision: Choice = "",
        comment: Comment = "",
    ) -> Response:
        view = await known(desk, approver, order_id)
        choice = _choice(decision)
        if view.is_large and view.can_decide:
            return _elsewhere(request, _confirm_page(order_id, choice, comment))
        return await _decide(desk, inbox, request, approver, view, choice, comment)

    @router.post("/inbox/requests/{order_id}/confirm")
    async def decide_surely(
        request: Request,
        approver: Deciding,
        order_id: str,
        decision: Choice = "",
        comment: Comment = "",
        sure: Typed = "",
        total_cents: Typed = "",
    ) -> Response:
        view = await known(desk, approver, order_id)
        choice = _choice(decision)
        is_sure = sure == "yes" and total_cents == str(view.request.total_cents)
        if not is_sure and view.can_decide:
            return _ask(desk, request, view, choice, comment, wrong=_NOT_SURE)
        return await _decide(desk, inbox, request, approver, view, choice, comment)


async def _decide(
    desk: Desk,
    inbox: Inbox,
    request: Request,
    approver: Principal,
    view: View,
    choice: str,
    comment: str,
) -> Response:
    """Decide as whoever has signed in; then show the outcome, on the inbox."""
    shown = Shown.told_by(await request.form())
    text = comment.replace("\r\n", "\n").strip()
    try:
        decision = Decision(approved=choice == APPROVE, approver=approver.name, comment=text)
    except ValidationError as error:
        raise invalid_input(error.errors(include_url=False, include_input=False)) from error
    try:
        await inbox.decide_known(view.order_id, decision, approver.via)
    except RefusedByRule:
        now = await known(desk, approver, view.order_id)
        refused = f"Your {WORDS[choice]} of order {view.order_id} did not count."
        return await show_inbox(
            desk,
            request,
            approver,
            shown,
            status_code=409,
            told=now,
            not_counted=refused,
            lost=text,
        )
    if not _is_part(request):
        return RedirectResponse(f"/?{urlencode({'done': view.order_id})}", status_code=303)
    now = await known(desk, approver, view.order_id)
    return await show_inbox(desk, request, approver, shown, told=now)


def _ask(
    desk: Desk, request: Request, view: View, choice: str, comment: str, wrong: str | None = None
) -> Response:
    status = 200 if wrong is None else 422
    return desk.page(
        request, "confirm.html", status, view=view, choice=choice, comment=comment, wrong=wrong
    )


def _choice(text: str) -> str:
    if text not in WORDS:
        raise Problem(422, "INVALID_INPUT", "decision: must be `approve` or `deny`")
    return text


def _elsewhere(request: Request, url: str) -> Response:
    if _is_part(request):
        return Response(status_code=204, headers={"HX-Redirect": url})
    return RedirectResponse(url, status_code=303)


def _own_page(order_id: str) -> str:
    return f"/inbox/requests/{order_id}"


def _confirm_page(order_id: str, choice: str, comment: str) -> str:
    return f"{_own_page(order_id)}/confirm?{urlencode({'decision': choice, 'comment': comment})}"


def _is_part(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"
