"""Generated events and requests on the real platform; `make fuzz` sends more of them."""

import pytest

from fuzz.generating import generate
from fuzz.rounds import Rounds
from system.shop import Shop

COUNT = 240
ROUND = 40


@pytest.mark.parametrize("number", [1])
def test_whatever_is_acknowledged_is_found_once(shop: Shop, number: int) -> None:
    """It is found with its bytes, and good orders complete meanwhile, whatever else is sent."""
    rounds, events = Rounds(shop), generate(number, COUNT)

    for first in range(0, len(events), ROUND):
        rounds.play(str(number), events[first : first + ROUND], first)

    results = rounds.results
    assert results.faults == []
    assert {"order", "batch", "task", "approval", "parked event"} < set(results.became)
    assert results.became["dead letter"] > COUNT / 4
    early = "NotYetKnown: no approval was requested"
    assert [each for each in results.parked if early not in each] == []
