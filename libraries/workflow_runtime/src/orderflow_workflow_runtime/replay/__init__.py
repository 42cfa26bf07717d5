"""Replays recorded histories, to show whether the code still behaves as it did then."""

from orderflow_workflow_runtime.replay.command import Replays
from orderflow_workflow_runtime.replay.comparison import replay
from orderflow_workflow_runtime.replay.misfit import Misfit

__all__ = ["Misfit", "Replays", "replay"]
