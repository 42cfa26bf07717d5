"""All that a service publishes goes through its outbox."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
HOSTING: Final = "libraries/hosting/src/orderflow_hosting"
PUBLISHING: Final = frozenset({"publish_raw", "publish_together"})
STUBS: Final = frozenset({"PublishEvent", "BulkPublishEvent", "BulkPublishEventAlpha1"})
ALLOWED: Final = {
    f"{HOSTING}/canary.py": {"publish_raw"},  # an event that no change of state owes
    f"{HOSTING}/outbox/relay.py": {"publish_together"},
    f"{HOSTING}/sidecar.py": {"PublishEvent", "BulkPublishEvent"},
}


def names_in(source: str) -> Iterator[str]:
    """Find the attributes and the texts by which something could be published."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield "/v1.0/publish" if "v1.0/publish" in node.value else node.value


def ways_to_publish(source: str) -> set[str]:
    return {*PUBLISHING, *STUBS, "publish_event", "publish_events", "/v1.0/publish"}.intersection(
        names_in(source)
    )


def test_only_the_relay_and_the_canary_publish() -> None:
    """A message that were published beside the outbox could be lost, or overtake another."""
    sources = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("libraries/*/src/**/*.py")]
    ways = {
        str(file.relative_to(ROOT)): found
        for file in sources
        if (found := ways_to_publish(file.read_text(encoding="utf-8")))
    }

    assert ways == ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        "await self._sidecar.publish_raw(topic, event)",
        "publish = sidecar.publish_together",
        "await api.BulkPublishEventAlpha1(request)",
        "client.publish_event('pubsub', topic, data)",
        "getattr(sidecar, 'publish_raw')(topic, event)",
        "http.post(f'{url}/v1.0/publish/pubsub/{topic}')",
    ],
)
def test_every_way_to_publish_is_found(code: str) -> None:
    """Called or passed on, by the service's own sidecar or around it."""
    assert ways_to_publish(code)
