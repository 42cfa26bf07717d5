"""Deciding on the pages, with a confirmation for large amounts."""

from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from approvals.decisions.service import ApprovalService
from approvals.domain import RuleViolation
from approvals.pages.approval_pages import ApprovalPages
from approvals.pages.displayed import DisplayedRequests
from approvals.pages.inbox import Viewer, find_or_404, render_inbox
from approvals.pages.views import View
from orderflow_contracts.approvals import Decision
from orderflow_hosting.access import Principal, Role, form, page
from orderflow_hosting.problems import Problem, invalid_input
from orderflow_hosting.refused_forms import refused_form

APPROVE: Final = "approve"
DENY: Final = "deny"
NOUNS: Final = {APPROVE: "approval", DENY: "denial"}

Approver = Annotated[Principal, page(Role.APPROVER)]
DecidingApprover = Annotated[Principal, form(Role.APPROVER, None)]
Choice = Annotated[str, Form(max_length=20)]
Comment = Annotated[str, Form()]
ShortText = Annotated[str, Form(max_length=30)]

_NOT_CONFIRMED: Final = "Tick the box to confirm."


def add_decision(router: APIRouter, pages: ApprovalPages, service: ApprovalService) -> None:
    """Add the forms that decide requests."""
    _add_decision(router, pages, service)
    _add_confirmation(router, pages, service)


def _add_decision(router: APIRouter, pages: ApprovalPages, service: ApprovalService) -> None:
    """Add the form that each request has."""

    @router.get("/inbox/requests/{order_id}/decision")
    async def decision_page(order_id: str, _: Viewer) -> Response:
        """Redirect to the request when the page of a rejected decision is reloaded."""
        return RedirectResponse(_request_url(quote(order_id, safe="")), status_code=303)

    @router.post("/inbox/requests/{order_id}/decision")
    async def decide(
        request: Request,
        approver: DecidingApprover,
        order_id: str,
        decision: Choice = "",
        comment: Comment = "",
    ) -> Response:
        view = await find_or_404(pages, approver, order_id)
        choice = _choice(decision)
        if view.is_large and view.can_decide:
            return _redirect(request, _confirm_url(order_id, choice, comment))
        return await _decide(pages, service, request, approver, view, choice, comment)


def _add_confirmation(router: APIRouter, pages: ApprovalPages, service: ApprovalService) -> None:
    """Add the page on which a large amount is confirmed."""

    @router.get("/inbox/requests/{order_id}/confirm")
    async def confirm_page(
        request: Request, approver: Approver, order_id: str, decision: str = "", comment: str = ""
    ) -> Response:
        view = await find_or_404(pages, approver, order_id)
        if not view.can_decide:
            return RedirectResponse(_request_url(order_id), status_code=303)
        typed, action = refused_form(request), f"{_request_url(order_id)}/confirm"
        choice = _choice(decision or typed.value(action, "decision"))
        return _confirm(pages, request, view, choice, comment or typed.value(action, "comment"))

    @router.post("/inbox/requests/{order_id}/confirm")
    async def decide_confirmed(
        request: Request,
        approver: DecidingApprover,
        order_id: str,
        decision: Choice = "",
        comment: Comment = "",
        sure: ShortText = "",
        total_cents: ShortText = "",
    ) -> Response:
        view = await find_or_404(pages, approver, order_id)
        choice = _choice(decision)
        is_confirmed = sure == "yes" and total_cents == str(view.request.total_cents)
        if not is_confirmed and view.can_decide:
            return _confirm(pages, request, view, choice, comment, error=_NOT_CONFIRMED)
        return await _decide(pages, service, request, approver, view, choice, comment)


async def _decide(
    pages: ApprovalPages,
    service: ApprovalService,
    request: Request,
    approver: Principal,
    view: View,
    choice: str,
    comment: str,
) -> Response:
    """Decide in the name of the signed-in approver, and show the outcome on the inbox."""
    displayed = DisplayedRequests.from_fields(await request.form())
    text = comment.replace("\r\n", "\n").strip()
    try:
        decision = Decision(approved=choice == APPROVE, approver=approver.name, comment=text)
    except ValidationError as error:
        raise invalid_input(error.errors(include_url=False, include_input=False)) from error
    try:
        await service.decide_existing(view.order_id, decision, approver.via)
    except RuleViolation:
        return await render_inbox(
            pages,
            request,
            approver,
            displayed,
            status_code=409,
            decided=await find_or_404(pages, approver, view.order_id),
            rejection=f"Your {NOUNS[choice]} of order {view.order_id} was not recorded.",
            unsaved_comment=text,
        )
    if not _is_htmx(request):
        return RedirectResponse(f"/?{urlencode({'done': view.order_id})}", status_code=303)
    decided = await find_or_404(pages, approver, view.order_id)
    return await render_inbox(pages, request, approver, displayed, decided=decided)


def _confirm(
    pages: ApprovalPages,
    request: Request,
    view: View,
    choice: str,
    comment: str,
    error: str | None = None,
) -> Response:
    status = 200 if error is None else 422
    return pages.render(
        request, "confirm.html", status, view=view, choice=choice, comment=comment, error=error
    )


def _choice(text: str) -> str:
    if text not in NOUNS:
        raise Problem(422, "INVALID_INPUT", "decision: must be `approve` or `deny`")
    return text


def _redirect(request: Request, url: str) -> Response:
    if _is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": url})
    return RedirectResponse(url, status_code=303)


def _request_url(order_id: str) -> str:
    return f"/inbox/requests/{order_id}"


def _confirm_url(order_id: str, choice: str, comment: str) -> str:
    return f"{_request_url(order_id)}/confirm?{urlencode({'decision': choice, 'comment': comment})}"


def _is_htmx(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"
