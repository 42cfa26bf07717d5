"""A Dapr application that records its handlers, so that tests can call them."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from orderflow_hosting.dapr_app import DaprApp, Deliver

Request = TypeVar("Request", bound=BaseModel)


class Method(NamedTuple):
    """An offered method: its request, its handler and its allowed callers (None for all)."""

    model: type[BaseModel]
    handle: Callable[[Any], Awaitable[BaseModel]]
    callers: frozenset[str] | None


class RecordedApp(DaprApp):
    """Does not listen; tests call the handlers directly."""

    def __init__(self) -> None:
        self.methods: dict[str, Method] = {}
        self.events: dict[str, Deliver] = {}
        self.dead_letter_topics: dict[str, str | None] = {}

    def on_method(
        self,
        name: str,
        model: type[Request],
        handle: Callable[[Request], Awaitable[BaseModel]],
        *,
        callers: Collection[str] | None = None,
    ) -> None:
        """Record a method."""
        allowed = frozenset(callers) if callers is not None else None
        self.methods[name] = Method(model, handle, allowed)

    def on_event(self, topic: str, deliver: Deliver, *, dead_letter_topic: str | None) -> None:
        """Record a topic's handler."""
        self.events[topic] = deliver
        self.dead_letter_topics[topic] = dead_letter_topic

    async def invoke(self, name: str, body: str = "{}") -> dict[str, Any]:
        """Call a method with JSON, as the sidecar would for an allowed caller."""
        method = self.methods[name]
        reply = await method.handle(method.model.model_validate_json(body))
        return reply.model_dump(mode="json", exclude_none=True)
