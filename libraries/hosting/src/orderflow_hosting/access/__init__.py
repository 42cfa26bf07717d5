"""Access: roles, tokens, sessions, guards of routes, and the audit trail."""

from orderflow_contracts.access import Role
from orderflow_hosting.access.audit import Audit, AuditEntry
from orderflow_hosting.access.guards import changes, form, name_subject, page, reads
from orderflow_hosting.access.install import Access
from orderflow_hosting.access.principal import OPEN, Principal
from orderflow_hosting.access.tables import AccessTables, access_tables

__all__ = [
    "OPEN",
    "Access",
    "AccessTables",
    "Audit",
    "AuditEntry",
    "Principal",
    "Role",
    "access_tables",
    "changes",
    "form",
    "name_subject",
    "page",
    "reads",
]
