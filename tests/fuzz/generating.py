"""Generated events and requests, in batches that a number makes again."""

from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from fakes.generated_events import EVENTS, REQUESTS, Sent

_REQUEST_IN: Final = 6
"""About one in this many is a request."""
_EITHER: Final = st.integers(1, _REQUEST_IN).flatmap(lambda n: REQUESTS if n == 1 else EVENTS)


def generate(number: int, count: int) -> list[Sent]:
    """Return the batch with this number; the same at each call with this version of Hypothesis."""
    generated: list[Sent] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_EITHER)
    def collect(sent: Sent) -> None:
        generated.append(sent)

    collect()
    return generated
