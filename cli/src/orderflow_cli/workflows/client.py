"""What orders lets an operator do with workflow instances, as typed methods."""

from typing import Final
from urllib.parse import quote

from orderflow_cli.errors import OrderflowError, Refusal
from orderflow_cli.models import Page
from orderflow_cli.service import TIMEOUT_SECONDS, Service
from orderflow_cli.workflows.models import (
    Done,
    HistoryEvent,
    Purged,
    RuntimeStatus,
    Started,
    Workflow,
)

ROOT: Final = "/workflows"
PAGE_SIZE: Final = 100
LONGEST_WAIT_SECONDS: Final = 60
"""One request waits so long at most; for a longer wait there are several."""
MANY_SECONDS: Final = 300.0
"""The patience for what orders may have to read every instance for."""
TIMED_OUT: Final = "WORKFLOW_TIMEOUT"
NOT_A_NAME: Final = frozenset({"", ".", ".."})
START: Final = "start"
"""In the place of an id this is the path on which orders starts its demonstration."""


class Workflows:
    """Starts, shows, steers, waits for and forgets workflow instances.

    Every method raises `OrderflowError` with a sentence for a person: a `Refusal` with a stable
    code if orders answers that it will not, or that there is no such instance. JSON is passed on
    as the text that it is; None sends none, which is not the same as `null`.
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
        """Start a workflow; with `replace`, a finished instance of that id gives way to it."""
        path = _to_change(name, START, what="name of a workflow")
        return self._orders.change(
            path, Started, payload, instance_id=instance_id, replace="true" if replace else None
        )

    def status(self, instance_id: str) -> Workflow:
        """Read an instance."""
        return self._orders.read(_to(instance_id, "status"), Workflow)

    def find(
        self,
        status: RuntimeStatus | None = None,
        name: str | None = None,
        *,
        limit: int = PAGE_SIZE,
        after: str | None = None,
    ) -> Page[Workflow]:
        """List up to so many instances from a cursor on, and the cursor to read on with."""
        items: list[Workflow] = []
        while True:
            page = self._orders.read(
                ROOT,
                Page[Workflow],
                patience=MANY_SECONDS,
                status=status,
                name=name,
                limit=min(PAGE_SIZE, limit - len(items)),
                after=after,
            )
            items.extend(page.items)
            after = page.next
            if after is None or len(items) >= limit:
                return Page[Workflow](items=tuple(items), next=after)

    def history(self, instance_id: str) -> Page[HistoryEvent]:
        """Read what happened to an instance, oldest first."""
        return self._orders.read(_to(instance_id, "history"), Page[HistoryEvent])

    def wait(self, instance_id: str, seconds: int) -> Workflow:
        """Read an instance once it has finished, or as it is when the time runs out."""
        path = _to(instance_id, "wait")
        while seconds > 0:
            piece = min(seconds, LONGEST_WAIT_SECONDS)
            try:
                return self._orders.read(
                    path, Workflow, patience=piece + TIMEOUT_SECONDS, timeout_seconds=piece
                )
            except Refusal as refusal:
                if refusal.code != TIMED_OUT:
                    raise
            seconds -= piece
        return self.status(instance_id)

    def pause(self, instance_id: str) -> Done:
        """Suspend an instance; an activity that is at work goes on to its end."""
        return self._orders.change(_to_change(instance_id, "pause"), Done)

    def resume(self, instance_id: str) -> Done:
        """Let a suspended instance go on."""
        return self._orders.change(_to_change(instance_id, "resume"), Done)

    def terminate(self, instance_id: str, *, force: bool = False) -> Done:
        """End an instance; one that carries an order only with `force`, and then it is undone."""
        path = _to_change(instance_id, "terminate")
        return self._orders.change(path, Done, force="true" if force else None)

    def raise_event(self, instance_id: str, event: str, payload: bytes | None = None) -> Done:
        """Hand an event to an instance, now or for when it waits for it."""
        path = _to_change(instance_id, "raise_event")
        return self._orders.change(f"{path}/{_segment(event, 'name of an event')}", Done, payload)

    def rerun(
        self,
        instance_id: str,
        from_event: int,
        payload: bytes | None = None,
        *,
        new_instance_id: str | None = None,
    ) -> Started:
        """Run a finished instance again from an event on, as a new one."""
        return self._orders.change(
            _to_change(instance_id, "rerun"),
            Started,
            payload,
            from_event=from_event,
            new_instance_id=new_instance_id,
        )

    def purge(self, instance_id: str) -> Done:
        """Forget a finished instance."""
        return self._orders.change(_to_change(instance_id, "purge"), Done)

    def purge_older_than(self, age: str) -> Purged:
        """Forget all instances that finished longer ago than an age such as `720h`."""
        return self._orders.change(f"{ROOT}/purge", Purged, patience=MANY_SECONDS, older_than=age)


def _to(instance_id: str, verb: str, *, what: str = "id of a workflow") -> str:
    return f"{ROOT}/{_segment(instance_id, what)}/{verb}"


def _to_change(instance_id: str, verb: str, *, what: str = "id of a workflow") -> str:
    if instance_id == START:
        raise OrderflowError(f"{START!r} cannot be the {what}: orders keeps that word for itself")
    return _to(instance_id, verb, what=what)


def _segment(text: str, what: str) -> str:
    """Write a part of a path; what would lead to another path is refused."""
    if text in NOT_A_NAME or "/" in text or not text.isprintable():
        raise OrderflowError(f"{text!r} cannot be the {what}")
    return quote(text, safe="")
