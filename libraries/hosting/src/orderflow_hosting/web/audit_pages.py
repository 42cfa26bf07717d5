"""The page of a service's audit trail: who did what, newest first, for operators alone."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from orderflow_hosting.access import Audit, Role, page
from orderflow_hosting.access.audit import LONGEST_SUBJECT
from orderflow_hosting.pages import number_after, numbered_page
from orderflow_hosting.web.site import Site

ENTRIES_ON_A_PAGE: Final = 50


def audit_pages(site: Site, audit: Audit, path: str) -> APIRouter:
    """Serve the audit trail at a path of the site, by the site's template `audit.html`."""
    router = APIRouter(include_in_schema=False)

    @router.get(path, dependencies=[page(Role.OPERATOR)])
    async def trail(request: Request, subject: str = "", after: str | None = None) -> Response:
        about = subject.strip()[:LONGEST_SUBJECT].replace("\0", "")
        found = await audit.page(ENTRIES_ON_A_PAGE + 1, number_after(after), about or None)
        shown = numbered_page([(entry.number, entry) for entry in found], ENTRIES_ON_A_PAGE)
        return site.page(
            request,
            "audit.html",
            entries=shown.items,
            subject=about,
            first_url=_url(path, about) if after else None,
            next_url=_url(path, about, shown.next) if shown.next else None,
        )

    return router


def _url(path: str, subject: str, after: str | None = None) -> str:
    query = {name: value for name, value in (("subject", subject), ("after", after)) if value}
    return f"{path}?{urlencode(query)}" if query else path
