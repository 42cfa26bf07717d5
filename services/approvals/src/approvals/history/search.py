"""The filters of a search in the history, and whether an approval matches them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals.domain import Case
from orderflow_contracts.approvals import ApprovalStatus
from orderflow_hosting.folding import contains, fold


@dataclass(frozen=True)
class Search:
    """The filters of a search; an empty filter matches everything.

    `text` is a part of any field. Order, customer and approver are complete names; either of two
    approvers matches. Case and accents are ignored. `since` and `until` limit the time of the end,
    `until` exclusively.
    """

    text: str = ""
    order_id: str = ""
    customer_id: str = ""
    approver: str = ""
    status: ApprovalStatus | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, case: Case, now: datetime) -> bool:
        """Return whether a case matches all filters except the times."""
        if case.received is None:
            return False
        approvers = [each.decision.approver for each in case.decisions()]
        return (
            _is_any(self.order_id, [case.order_id])
            and _is_any(self.customer_id, [case.received.request.customer_id])
            and _is_any(self.approver, approvers)
            and self.status in (None, case.status(now))
            and (not self.text or contains(_text(case), self.text))
        )


def _is_any(name: str, names: Sequence[str]) -> bool:
    return not name or fold(name) in map(fold, names)


def _text(case: Case) -> str:
    request = case.received.request if case.received else None
    parts = [case.order_id, request.customer_id if request else ""]
    parts += [line.item for line in request.lines] if request else []
    for each in case.decisions():
        parts += [each.decision.approver, each.decision.comment]
    if case.ended is not None:
        parts.append(case.ended.reason.replace("_", " "))
    return "\n".join(parts)
