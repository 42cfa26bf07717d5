"""A typed client for managing workflow instances."""

from typing import Final
from urllib.parse import quote

from orderflow_cli.errors import OrderflowError, RequestRejected
from orderflow_cli.models import Page
from orderflow_cli.service import TIMEOUT_SECONDS, Service
from orderflow_cli.workflows.models import (
    Accepted,
    HistoryEvent,
    Purged,
    RuntimeStatus,
    Started,
    Workflow,
)

ROOT: Final = "/workflows"
PAGE_SIZE: Final = 100
LONGEST_WAIT_SECONDS: Final = 60
"""The longest wait of one request; a longer wait takes several requests."""
PURGE_TIMEOUT_SECONDS: Final = 300.0
"""Time limit for requests for which orders may have to purge many instances."""
WAIT_TIMED_OUT: Final = "WORKFLOW_TIMEOUT"
INVALID_SEGMENTS: Final = frozenset({"", ".", ".."})
START: Final = "start"
"""As an instance ID, this would match the path that starts the demonstration workflow."""


class Workflows:
    """Starts, shows, controls, waits for and purges workflow instances.

    Every method raises `OrderflowError` with a readable message: `RequestRejected`, with a stable
    code, if orders rejects the request or there is no such instance. JSON text is sent unchanged;
    None sends no body, which is not the same as `null`.
    """

    def __init__(self, orders: Service) -> None:
        self._orders = orders

    def start(
        self,
        name: str,
        payload: bytes | None = None,
        *,
        instance_id: str | None = None,
        replace: bool = False,
    ) -> Started:
        """Start a workflow; `replace` allows it to replace a finished instance with that ID."""
        path = _to_change(name, START, what="workflow name")
        return self._orders.change(
            path, Started, payload, instance_id=instance_id, replace="true" if replace else None
        )

    def status(self, instance_id: str) -> Workflow:
        """Return an instance."""
        return self._orders.read(_to(instance_id, "status"), Workflow)

    def find(
        self,
        status: RuntimeStatus | None = None,
        name: str | None = None,
        *,
        created_from: str | None = None,
        created_before: str | None = None,
        limit: int = PAGE_SIZE,
        after: str | None = None,
    ) -> Page[Workflow]:
        """List up to `limit` instances after a cursor, with the cursor of the next page.

        Times are RFC 3339; with one, the list is sorted by creation, otherwise by ID.
        """
        items: list[Workflow] = []
        while True:
            page = self._orders.read(
                ROOT,
                Page[Workflow],
                status=status,
                name=name,
                created_from=created_from,
                created_before=created_before,
                limit=min(PAGE_SIZE, limit - len(items)),
                after=after,
            )
            items.extend(page.items)
            after = page.next
            if after is None or len(items) >= limit:
                return Page[Workflow](items=tuple(items), next=after)

    def history(self, instance_id: str) -> Page[HistoryEvent]:
        """Return the history of an instance, oldest event first."""
        return self._orders.read(_to(instance_id, "history"), Page[HistoryEvent])

    def wait(self, instance_id: str, seconds: int) -> Workflow:
        """Return an instance when it has finished, or its state when the time has run out."""
        path = _to(instance_id, "wait")
        while seconds > 0:
            part = min(seconds, LONGEST_WAIT_SECONDS)
            try:
                return self._orders.read(
                    path, Workflow, timeout=part + TIMEOUT_SECONDS, timeout_seconds=part
                )
            except RequestRejected as rejection:
                if rejection.code != WAIT_TIMED_OUT:
                    raise
            seconds -= part
        return self.status(instance_id)

    def pause(self, instance_id: str) -> Accepted:
        """Suspend an instance; a running activity is completed."""
        return self._orders.change(_to_change(instance_id, "pause"), Accepted)

    def resume(self, instance_id: str) -> Accepted:
        """Resume a suspended instance."""
        return self._orders.change(_to_change(instance_id, "resume"), Accepted)

    def terminate(self, instance_id: str, *, force: bool = False) -> Accepted:
        """Terminate an instance; an order needs `force`, and is then rolled back."""
        path = _to_change(instance_id, "terminate")
        return self._orders.change(path, Accepted, force="true" if force else None)

    def raise_event(self, instance_id: str, event: str, payload: bytes | None = None) -> Accepted:
        """Send an event to an instance, which receives it now or when it waits for it."""
        path = _to_change(instance_id, "raise_event")
        return self._orders.change(f"{path}/{_segment(event, 'event name')}", Accepted, payload)

    def rerun(
        self,
        instance_id: str,
        from_event: int,
        payload: bytes | None = None,
        *,
        new_instance_id: str | None = None,
    ) -> Started:
        """Rerun a finished instance from an event in its history, as a new instance."""
        return self._orders.change(
            _to_change(instance_id, "rerun"),
            Started,
            payload,
            from_event=from_event,
            new_instance_id=new_instance_id,
        )

    def purge(self, instance_id: str) -> Accepted:
        """Purge a finished instance."""
        return self._orders.change(_to_change(instance_id, "purge"), Accepted)

    def purge_older_than(self, age: str) -> Purged:
        """Purge all instances that finished longer ago than an age such as `720h`."""
        return self._orders.change(
            f"{ROOT}/purge", Purged, timeout=PURGE_TIMEOUT_SECONDS, older_than=age
        )


def _to(instance_id: str, verb: str, *, what: str = "workflow ID") -> str:
    return f"{ROOT}/{_segment(instance_id, what)}/{verb}"


def _to_change(instance_id: str, verb: str, *, what: str = "workflow ID") -> str:
    if instance_id == START:
        raise OrderflowError(f"{START!r} is not a valid {what}: the word is reserved")
    return _to(instance_id, verb, what=what)


def _segment(text: str, what: str) -> str:
    """Quote a URL path segment; reject text that would change the path."""
    if text in INVALID_SEGMENTS or "/" in text or not text.isprintable():
        raise OrderflowError(f"{text!r} is not a valid {what}")
    return quote(text, safe="")
