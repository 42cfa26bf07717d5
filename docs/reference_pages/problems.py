"""The page of problem codes, which the sources of services and libraries are searched for."""

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reference_pages.markdown import code, page, table

ROOT: Final = Path(__file__).resolve().parents[2]
SHAPE: Final = re.compile(r"[A-Z]+(_[A-Z]+)*")
UNAVAILABLE: Final = 503
ERRORS: Final = range(400, 600)

INTRODUCTION: Final = """\
A refused request is answered with a problem document (RFC 9457). Its `code` never changes, so
programs may rely on it. Its `detail` is a sentence for people. For `INVALID_INPUT`, `errors` names
each invalid field. The `orderflow` command prints the sentence and the code."""

MEANINGS: Final = {
    "APPROVAL_EXPIRED": "the time for a decision is over",
    "APPROVAL_NOT_FOUND": "no approval was requested for this order",
    "APPROVAL_WITHDRAWN": "the order is no longer waiting for a decision",
    "BATCH_NOT_FOUND": "no such batch",
    "BODY_TOO_LARGE": "the body has more bytes than are allowed",
    "CROSS_SITE": "a page of another site sent the request",
    "CSRF_FAILED": "the form belongs to another session",
    "DEAD_LETTER_NOT_FOUND": "no such dead letter",
    "DECISION_STANDS": "a different decision has already been recorded",
    "FORBIDDEN": "the caller may not invoke this method",
    "HOST_NOT_KNOWN": "the service does not accept the name in `Host`",
    "IDEMPOTENCY_KEY_REUSED": "the `Idempotency-Key` belongs to an order with different content",
    "ID_TAKEN": "the ID belongs to a workflow instance that is not an order",
    "INTERNAL_ERROR": "an unexpected error; the log has the cause",
    "INVALID_INPUT": "a value is invalid; `errors` names the field",
    "INVENTORY_UNAVAILABLE": "inventory does not answer",
    "INVOCATION_REFUSED": "another service refused the call; the status is its answer",
    "METHOD_NOT_ALLOWED": "the path does not support this method",
    "NOTHING_RESERVED": "a commit without a reservation",
    "NOTHING_TO_RETRY": "nothing is left to roll back, or a retry is already running",
    "NOT_ALLOWED": "the user, the token or the proxy lacks the right",
    "NOT_FOUND": "no such path",
    "NO_ATTENTION_NEEDED": "the order does not need attention",
    "ORDER_ENDED": "the order has a final status, or its stock is shipped",
    "ORDER_EXISTS": "the ID belongs to an order with different content",
    "ORDER_NOT_FOUND": "no such order",
    "OTHER_LINES": "the order has a reservation with different lines",
    "SESSION_CHANGED": "the page belongs to another session",
    "SIDECAR_UNAVAILABLE": "the sidecar does not answer; the outcome is unknown",
    "SIGN_IN_NEEDED": "a sign-in or a valid token is required",
    "STORE_UNAVAILABLE": "the database or the state store does not answer",
    "TASK_ENDED": "the task has a final status",
    "TASK_NOT_FOUND": "no such task",
    "UNAVAILABLE": "something that the service needs does not answer",
    "UNKNOWN_ITEM": "inventory does not know the item",
    "WORKER_UNAVAILABLE": "the workflow worker has no connection to the engine",
    "WORKFLOW_ALREADY_EXISTS": "the ID is in use, and `replace` was not set or is not allowed",
    "WORKFLOW_DAMAGED": "the engine cannot read the instance: its stored history is damaged",
    "WORKFLOW_NOT_FOUND": "no such instance, or no workflow with that name",
    "WORKFLOW_NOT_RUNNING": "the instance has ended",
    "WORKFLOW_PROTECTED": "the operation would break a guarantee for an order or a batch",
    "WORKFLOW_STILL_RUNNING": "the instance has not ended",
    "WORKFLOW_TIMEOUT": "the instance has not ended in time, and continues to run",
}
FAILURES: Final = {
    "ACTIVITY_EXECUTION_FAILED": "an activity failed after all retries; the failure names it",
    "NON_DETERMINISTIC": "the code no longer fits the instance's history",
    "WORKFLOW_FAILED": "the workflow's own code failed",
}


OTHERS: Final = ("`HTTP_ERROR`", "any other", "all", "the web framework refused the request")


@dataclass
class Use:
    """Where a code was found: the statuses beside it, and the packages."""

    statuses: set[int] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)


def problems_page() -> str:
    """Write the page; raises LookupError where codes and meanings do not agree."""
    found = _search()
    _require(found.keys(), {*MEANINGS, *FAILURES})
    rows = [
        (code(name), ", ".join(map(str, sorted(found[name].statuses))), _owners(found[name]), text)
        for name, text in sorted(MEANINGS.items())
    ]
    failures = ((code(name), text) for name, text in FAILURES.items())
    return page(
        "Problem codes",
        INTRODUCTION,
        table(("Code", "HTTP status", "Service", "Meaning"), [*rows, OTHERS]),
        "## Failures of workflows",
        "If a workflow failed, its status has a `failure` with one of these codes.",
        table(("Code", "Meaning"), failures),
    )


def _search() -> dict[str, Use]:
    found: dict[str, Use] = defaultdict(Use)
    for path in sorted(
        [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libraries/*/src/**/*.py")]
    ):
        group, owner = path.relative_to(ROOT).parts[:2]
        for status, name in _codes(ast.parse(path.read_text(encoding="utf-8"))):
            found[name].owners.add(owner if group == "services" else "all")
            found[name].statuses.update({status} & set(ERRORS))
    return found


def _codes(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find `Problem(404, "X")`, `(404, "X")`, `{404: "X"}`, `code = "X"` and `f(code="X")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(value=int(status)), ast.Constant(value=name), *_]):
                yield from _pair(status, name)
            case ast.Call(args=[ast.Name(id="status"), ast.Constant(value=name), *_]):
                yield from _pair(0, name)
            case ast.Tuple(elts=[ast.Constant(value=int(status)), ast.Constant(value=name)]):
                yield from _pair(status, name)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
                        yield from _pair(key.value, value.value)
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=name)):
                yield from _pair(UNAVAILABLE, name)
            case ast.keyword(arg="code", value=ast.Constant(value=name)):
                yield from _pair(0, name)


def _pair(status: object, name: object) -> Iterator[tuple[int, str]]:
    if isinstance(status, int) and isinstance(name, str) and SHAPE.fullmatch(name):
        yield status, name


def _owners(use: Use) -> str:
    return "all" if "all" in use.owners else ", ".join(sorted(use.owners))


def _require(found: Collection[str], described: Collection[str]) -> None:
    if different := set(found) ^ set(described):
        raise LookupError(f"the code and {__name__} differ in {sorted(different)}")
