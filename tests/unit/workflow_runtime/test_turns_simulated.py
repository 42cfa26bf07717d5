"""The rule about workflow turns, against a simulated engine with all of Dapr's faults."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.turn_engine import Simulation

CALM_SECONDS = 90.0


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_no_answer_ends_another_turn_and_no_workflow_stalls(seed: int, events: int) -> None:
    """Once faults have stopped, the workflow reacts to every event."""
    faults_seconds = 3.0 * events
    simulation = Simulation(Random(seed), events, 1000.0 + faults_seconds)

    simulation.run(faults_seconds + CALM_SECONDS)

    assert not simulation.torn
    assert simulation.events_left <= 0
    assert simulation.reacted == simulation.happened
