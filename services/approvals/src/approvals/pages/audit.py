"""The page of the audit trail, for operators."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from approvals.pages.desk import Desk
from orderflow_hosting.access import Access, Principal, Role, page
from orderflow_hosting.pages import encode_cursor, number_after

ON_A_PAGE: Final = 50
LONGEST: Final = 200

Operator = Annotated[Principal, page(Role.OPERATOR)]


def add_audit(router: APIRouter, desk: Desk, access: Access) -> None:
    """Add the page."""

    @router.get("/inbox/audit")
    async def audit_page(
        request: Request, _: Operator, after: str | None = None, subject: str = ""
    ) -> Response:
        if access.audit is None:
            raise RuntimeError("approvals has no audit trail")
        subject = subject.strip()[:LONGEST].replace("\0", "")
        entries = await access.audit.page(ON_A_PAGE + 1, number_after(after), subject or None)
        last = entries[ON_A_PAGE - 1].number if len(entries) > ON_A_PAGE else None
        return desk.page(
            request,
            "audit.html",
            entries=entries[:ON_A_PAGE],
            subject=subject,
            first_url=_url(subject) if after else None,
            next_url=_url(subject, last) if last is not None else None,
        )


def _url(subject: str, last: int | None = None) -> str:
    query = {"subject": subject} if subject else {}
    if last is not None:
        query["after"] = encode_cursor(str(last))
    return f"/inbox/audit?{urlencode(query)}" if query else "/inbox/audit"
