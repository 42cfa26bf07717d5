"""Replays of orders' histories for the command line, which loads this by an entry point."""

from functools import partial

from orderflow_workflow_runtime.replay import Replays as _Replays
from orders.workflows import WORKFLOWS

Replays = partial(_Replays, WORKFLOWS)
