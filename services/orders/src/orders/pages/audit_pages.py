"""The page of the audit trail: who did what, newest first, for operators alone."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orderflow_hosting.access import Audit, Role, page
from orderflow_hosting.pages import number_after, numbered_page
from orderflow_hosting.web import Site

ENTRIES_ON_A_PAGE: Final = 50


def audit_pages(site: Site, audit: Audit) -> APIRouter:
    """Serve the audit trail, to be read."""
    router = APIRouter(prefix="/board/audit", include_in_schema=False)

    @router.get("", dependencies=[page(Role.OPERATOR)])
    async def trail(
        request: Request, subject: str | None = None, after: str | None = None
    ) -> Response:
        about = (subject or "").replace("\0", "").strip() or None
        found = await audit.page(ENTRIES_ON_A_PAGE + 1, number_after(after), about)
        shown = numbered_page([(entry.number, entry) for entry in found], ENTRIES_ON_A_PAGE)
        return site.page(
            request,
            "audit.html",
            entries=shown.items,
            next=shown.next,
            after=after,
            subject=about or "",
        )

    return router
