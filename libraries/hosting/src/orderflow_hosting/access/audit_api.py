"""The audit trail over HTTP, read-only."""

from typing import Annotated

from fastapi import APIRouter, Query

from orderflow_contracts.access import Role
from orderflow_hosting.access.audit import LONGEST_SUBJECT, Audit, AuditEntry
from orderflow_hosting.access.guards import reads
from orderflow_hosting.pages import After, Limit, Page, number_after, numbered_page


def audit_router(audit: Audit) -> APIRouter:
    """Serve the audit trail to operators."""
    router = APIRouter(prefix="/audit", tags=["audit"], dependencies=[reads(Role.OPERATOR)])

    @router.get("", summary="List what was done, by whom and how it ended, newest first")
    async def list_entries(
        limit: Limit = 100,
        after: After = None,
        subject: Annotated[
            str | None, Query(max_length=LONGEST_SUBJECT, description="Only entries about this")
        ] = None,
    ) -> Page[AuditEntry]:
        found = await audit.page(limit + 1, number_after(after), subject)
        return numbered_page([(entry.number, entry) for entry in found], limit)

    return router
