"""How a step of the order workflow and its compensation are declared."""

from dataclasses import dataclass
from typing import Final

from dapr.ext.workflow import RetryPolicy

from orderflow_contracts.orders import OrderStatus

REFUSALS: Final = frozenset({"rejected", "declined"})
"""The outcomes of a step that was carried out and had no effect."""


@dataclass(frozen=True, kw_only=True)
class Action:
    """An activity or a child workflow in a history, and how pages and commands describe it.

    `activity` is the name of an activity or, in a step, of a child workflow. `name` is what it is
    called, `done` describes its success, and `refused`, if that can happen, a refusal.
    """

    activity: str
    name: str
    done: str
    refused: str = ""

    def is_refused(self, result: object) -> bool:
        """Whether this result says that the action had no effect."""
        return bool(self.refused and isinstance(result, dict) and result.get("outcome") in REFUSALS)

    def outcome(self, result: object) -> str:
        """Describe the result in words."""
        return self.refused if self.is_refused(result) else self.done


@dataclass(frozen=True, kw_only=True)
class Step(Action):
    """A step of the order workflow.

    `fails_as` is the reason of an order whose step fails after all retries; without one, the order
    continues or the workflow itself fails. `status` is what the step records. `compensation` undoes
    the step. An order skips the step if `switch`, a field of its policy, is "off". Without `retry`,
    the step is retried for as long as the order's policy says.
    """

    fails_as: str = ""
    status: OrderStatus | None = None
    compensation: Action | None = None
    switch: str | None = None
    retry: RetryPolicy | None = None
    is_child: bool = False
    is_awaited: bool = True
