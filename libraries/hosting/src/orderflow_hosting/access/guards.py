"""The guards of routes: every route has exactly one guard, or is public."""

import hmac
from typing import Any, Final, Literal, Protocol, cast

import structlog
from fastapi import Depends, Request, params

from orderflow_contracts.access import Role
from orderflow_hosting.access.audit import Audit
from orderflow_hosting.access.identity import Identity
from orderflow_hosting.access.principal import OPEN, Principal
from orderflow_hosting.problems import Problem
from orderflow_hosting.refused_forms import RefusedForm

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Kind = Literal["reads", "changes", "page", "form"]

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
NEVER_RECORDED: Final = frozenset({CSRF_FIELD, "password"})

TOKEN_NEEDED: Final = "send a valid token: Authorization: Bearer …"  # noqa: S105 # none
SIGN_IN_FIRST: Final = "sign in first"


class Guarding(Protocol):
    """What guards need from the application's access."""

    audit: Audit | None

    async def new_session(self, request: Request, person: Principal) -> None:
        """Begin a session for a person whom a proxy has signed in."""
        ...


class Guard:
    """Requires a role, and starts an audit entry if the route is an action."""

    def __init__(
        self, kind: Kind, role: Role, action: str | None = None, *, open_is_audited: bool = True
    ) -> None:
        self.kind = kind
        self.role = role
        self.action = action
        self._open_is_audited = open_is_audited

    async def __call__(self, request: Request) -> Principal:
        """Return the caller. Raises `SIGN_IN_NEEDED`, `NOT_ALLOWED` or `CSRF_FAILED`."""
        if self.kind == "form":  # a refusal shows it again, and could not read it any more
            request.state.sent_form = await RefusedForm.of(request)
        principal = self._caller(request.state.identity)
        if not principal.may(self.role):
            log.info("access_refused", actor=principal.name, path=request.url.path)
            raise Problem(403, "NOT_ALLOWED", f"you need the {self.role} role")
        if self.kind == "page":
            await self._begin_session(request, principal)
        if self.kind == "form":
            await _check_csrf(request)
        if self.action is not None and (principal.via != "open" or self._open_is_audited):
            await self._begin_entry(request, principal, self.action)
        return principal

    def _caller(self, identity: Identity) -> Principal:
        if self.kind in {"page", "form"}:
            if identity.person is None:
                raise Problem(401, "SIGN_IN_NEEDED", SIGN_IN_FIRST)
            return identity.person
        if identity.program is not None:
            return identity.program
        if identity.is_open:
            return OPEN
        if self.kind == "reads" and identity.person is not None:
            return identity.person
        raise Problem(401, "SIGN_IN_NEEDED", TOKEN_NEEDED)

    async def _begin_session(self, request: Request, person: Principal) -> None:
        if request.state.identity.session is None:
            await access_of(request).new_session(request, person)

    async def _begin_entry(self, request: Request, principal: Principal, action: str) -> None:
        audit = access_of(request).audit
        if audit is None:
            raise RuntimeError(f"{action} must be audited, but there is no audit trail")
        body = await _body(request)
        details = {"path": request.path_params, "query": dict(request.query_params), "body": body}
        given = {key: value for key, value in details.items() if value}
        subject = str(next(iter(request.path_params.values()), ""))
        request.state.audit_number = await audit.begin(principal, action, subject, given)


def reads(role: Role = Role.VIEWER) -> params.Depends:
    """Guard a route that reads: for tokens, for people signed in, and for all if APIs are open."""
    return cast("params.Depends", Depends(Guard("reads", role)))


def changes(role: Role, action: str | None, *, open_is_audited: bool = True) -> params.Depends:
    """Guard a route that changes something: for tokens, and for all if APIs are open.

    A session's cookie is never enough. The change is written to the audit trail as `action`. For an
    everyday change that has a record of its own, anonymous callers of an open API can be left out.
    """
    guard = Guard("changes", role, action, open_is_audited=open_is_audited)
    return cast("params.Depends", Depends(guard))


def page(role: Role = Role.VIEWER) -> params.Depends:
    """Guard a page: for people who have signed in, here or at the proxy."""
    return cast("params.Depends", Depends(Guard("page", role)))


def form(role: Role, action: str | None) -> params.Depends:
    """Guard a page's form, which must come from a page of the same session."""
    return cast("params.Depends", Depends(Guard("form", role, action)))


def name_subject(request: Request, subject: str) -> None:
    """Set the subject of the audit entry, if the path of the request does not name it."""
    request.state.audit_subject = subject


def access_of(request: Request) -> Guarding:
    """Return the access that is installed in the application of this request."""
    return cast("Guarding", request.app.state.access)


async def _check_csrf(request: Request) -> None:
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else ""
    csrf = request.state.identity.csrf
    if not csrf or not hmac.compare_digest(given.encode(errors="replace"), csrf.encode()):
        raise Problem(403, "CSRF_FAILED", "this form is from another session: open its page again")


async def _body(request: Request) -> Any:
    """Read the body for the audit trail; the route reads it again."""
    if "form" in request.headers.get("content-type", ""):
        form = await request.form()
        return {key: str(value) for key, value in form.multi_items() if key not in NEVER_RECORDED}
    return (await request.body()).decode(errors="replace")
