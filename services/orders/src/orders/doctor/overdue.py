"""Workflows that are suspected to wait for something that the engine has lost."""

from collections.abc import Sequence

from orderflow_contracts.doctor import LOST_TIMER
from orderflow_hosting.doctor import Disagreement, Look
from orderflow_workflow_runtime.examining import Examiner
from orders.doctor.instances import subject_of


class OverdueInstances:
    """No workflow waits for a timer or an activity that is overdue.

    The suspicions are those of the loop that also replaces such workflows.
    """

    name = "the workflows that are overdue"
    pages_in_a_round = 0

    def __init__(self, examiner: Examiner) -> None:
        self._examiner = examiner

    async def page(self, after: str | None) -> Look:  # noqa: ARG002 # there is only one page
        """List all suspicions."""
        return Look([_disagreement(*each) for each in self._examiner.overdue()])

    async def of(self, subject: str) -> Sequence[Disagreement]:
        """List the suspicions about one order."""
        return [
            _disagreement(instance_id, what)
            for instance_id, what in self._examiner.overdue()
            if subject_of(instance_id) == subject
        ]


def _disagreement(instance_id: str, what: str) -> Disagreement:
    return Disagreement(LOST_TIMER, f"workflow {instance_id}", what)
