"""A fake of the workflow management API of orders, without an engine."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from fakes.shop import NOW, Answer, problem

HELLO = "interactive_hello_workflow"
ORDER = "order_processing_workflow"
FINISHED = {"COMPLETED", "FAILED", "TERMINATED"}
FIRST_EVENT = 0
"""The only event of each history that can be rerun."""


class Request(NamedTuple):
    """A request of the command; the body is unparsed, and empty if there was none."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes


class _Refused(Exception):
    def __init__(self, status: int, code: str, detail: str) -> None:
        self.answer = problem(status, code, detail)


@dataclass
class ManagedWorkflows:
    """Instances by ID, which change only on request."""

    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    waits_until_end: int | None = None
    """How many waits time out before a running instance completes; None for all of them."""
    page_size: int = 500
    is_away: bool = False
    """Whether the sidecar does not answer."""

    def put(self, instance_id: str, status: str = "RUNNING", **more: Any) -> None:
        """Add an instance."""
        self.instances[instance_id] = {
            "instance_id": instance_id,
            "name": HELLO,
            "runtime_status": status,
            "created_at": NOW,
            "last_updated_at": NOW,
            "input": None,
            "output": None,
            "custom_status": None,
            "failure": None,
            **more,
        }

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a request, given its path after `/workflows`."""
        url = urlsplit(target)
        request = Request(method, url.path, dict(parse_qsl(url.query)), body)
        self.requests.append(request)
        if self.is_away:
            return problem(503, "SIDECAR_UNAVAILABLE", "the sidecar does not answer")
        parts = [unquote(part) for part in url.path.strip("/").split("/") if part]
        try:
            return self._act(parts, request)
        except _Refused as refused:
            return refused.answer

    def _act(self, parts: list[str], request: Request) -> Answer:
        match [request.method, *parts]:
            case ["GET"]:
                return self._list(request.query)
            case ["POST", "purge"]:
                return self._purge_older_than(request.query["older_than"])
            case ["POST", name, "start"]:
                return self._start(name, request)
            case [_, instance_id, verb, *rest] if instance_id in self.instances:
                act: Callable[..., Answer] = getattr(self, f"_{verb}")
                return act(self.instances[instance_id], request, *rest)
        raise _Refused(404, "WORKFLOW_NOT_FOUND", f"there is no workflow instance {parts[0]}")

    def _list(self, query: dict[str, str]) -> Answer:
        found = [
            instance
            for instance in self.instances.values()
            if query.get("status") in (None, instance["runtime_status"])
            and query.get("name") in (None, instance["name"])
        ]
        start = int(query.get("after", "0"))
        end = start + min(self.page_size, int(query["limit"]))
        return 200, {"items": found[start:end], "next": str(end) if end < len(found) else None}

    def _purge_older_than(self, age: str) -> Answer:
        if not re.fullmatch(r"(\d+[dhms])+", age):
            raise _Refused(422, "INVALID_INPUT", "older_than: is not a duration such as 720h")
        old = [key for key, value in self.instances.items() if _is_finished(value)]
        for instance_id in old:
            del self.instances[instance_id]
        return 202, {"message": f"{len(old)} workflow instances purged", "purged": len(old)}

    def _start(self, name: str, request: Request) -> Answer:
        if name == ORDER:
            raise _Refused(409, "WORKFLOW_PROTECTED", "place orders with POST /orders")
        if name != HELLO:
            raise _Refused(404, "WORKFLOW_NOT_FOUND", f"there is no workflow {name}")
        instance_id = request.query.get("instance_id", "made")
        old = self.instances.get(instance_id)
        if old and not (_is_finished(old) and request.query.get("replace") == "true"):
            raise _Refused(409, "WORKFLOW_ALREADY_EXISTS", f"{instance_id} is taken")
        self.put(instance_id, input=json.loads(request.body or b"null"))
        return 202, {"instance_id": instance_id, "message": "Workflow scheduled successfully"}

    def _status(self, instance: dict[str, Any], _: Request) -> Answer:
        return 200, instance

    def _history(self, instance: dict[str, Any], _: Request) -> Answer:
        return 200, {"items": self.histories.get(instance["instance_id"], []), "next": None}

    def _wait(self, instance: dict[str, Any], _: Request) -> Answer:
        if not _is_finished(instance):
            if self.waits_until_end is None or self.waits_until_end > 0:
                self.waits_until_end = self.waits_until_end and self.waits_until_end - 1
                raise _Refused(504, "WORKFLOW_TIMEOUT", "the timeout has passed")
            instance["runtime_status"] = "COMPLETED"
        return 200, instance

    def _pause(self, instance: dict[str, Any], _: Request) -> Answer:
        return self._move(instance, "SUSPENDED", "Pause")

    def _resume(self, instance: dict[str, Any], _: Request) -> Answer:
        return self._move(instance, "RUNNING", "Resume")

    def _terminate(self, instance: dict[str, Any], request: Request) -> Answer:
        if instance["name"] == ORDER and request.query.get("force") != "true":
            raise _Refused(409, "WORKFLOW_PROTECTED", "it is an order: cancel it")
        return self._move(instance, "TERMINATED", "Termination")

    def _raise_event(self, instance: dict[str, Any], request: Request, event: str) -> Answer:
        if instance["name"] == ORDER:
            raise _Refused(409, "WORKFLOW_PROTECTED", "it is an order: decide it by approvals")
        instance["custom_status"] = {event: json.loads(request.body or b"null")}
        return self._move(instance, instance["runtime_status"], f"Event '{event}'")

    def _purge(self, instance: dict[str, Any], _: Request) -> Answer:
        _check_finished(instance)
        del self.instances[instance["instance_id"]]
        return 202, {"message": f"Purge requested for {instance['instance_id']}"}

    def _rerun(self, instance: dict[str, Any], request: Request) -> Answer:
        _check_finished(instance)
        if request.query["from_event"] != str(FIRST_EVENT):
            raise _Refused(422, "INVALID_INPUT", "from_event: cannot be rerun from")
        new = request.query.get("new_instance_id", "made")
        self.put(new)
        return 202, {"instance_id": new, "message": f"Rerun of {new} started"}

    def _move(self, instance: dict[str, Any], status: str, what: str) -> Answer:
        if _is_finished(instance):
            raise _Refused(409, "WORKFLOW_NOT_RUNNING", f"{instance['instance_id']} has finished")
        instance["runtime_status"] = status
        return 202, {"message": f"{what} requested for {instance['instance_id']}"}


def _is_finished(instance: dict[str, Any]) -> bool:
    return instance["runtime_status"] in FINISHED


def _check_finished(instance: dict[str, Any]) -> None:
    if not _is_finished(instance):
        detail = f"{instance['instance_id']} is {instance['runtime_status']}"
        raise _Refused(409, "WORKFLOW_STILL_RUNNING", detail)
