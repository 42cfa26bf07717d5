"""Which messages can be published together."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from orderflow_hosting.outbox.table import Waiting

MOST_BYTES_AT_ONCE: Final = 1_000_000
"""The size of the events in one call, unless one event alone is larger."""


def waves(page: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Divide messages into those that come first for their key, those that come second, and so on.

    A sidecar publishes what it gets together in any sequence.
    """
    by_key: dict[str, list[Waiting]] = defaultdict(list)
    for each in page:
        by_key[each.key].append(each)
    for wave in itertools.zip_longest(*by_key.values()):
        yield [each for each in wave if each is not None]


def calls(wave: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Divide messages into calls, each of one topic and not too large."""
    by_topic: dict[str, list[Waiting]] = defaultdict(list)
    for each in wave:
        call = by_topic[each.topic]
        if call and sum(len(other.event) for other in (*call, each)) > MOST_BYTES_AT_ONCE:
            yield call
            call = by_topic[each.topic] = []
        call.append(each)
    yield from by_topic.values()
