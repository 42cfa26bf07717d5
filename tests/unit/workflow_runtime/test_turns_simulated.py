"""The rule about turns of workflows, against a simulated engine with all the faults of Dapr's."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.turn_engine import Simulation

CALM_SECONDS = 90.0


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_no_turn_is_ended_by_the_answer_to_another_and_none_stands_still(
    seed: int, events: int
) -> None:
    """Whatever is given up, late or lost; once it is calm, the workflow reacts to everything."""
    faults_seconds = 3.0 * events
    simulation = Simulation(Random(seed), events, 1000.0 + faults_seconds)

    simulation.run(faults_seconds + CALM_SECONDS)

    assert not simulation.torn
    assert simulation.events_left <= 0
    assert simulation.reacted == simulation.happened
