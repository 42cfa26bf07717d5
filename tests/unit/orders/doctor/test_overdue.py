"""Workflows that seem to wait for something lost are shown until they go on or are replaced."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from fakes.managed_engine import ManagedMemoryEngine
from orderflow_contracts.doctor import LOST_TIMER
from orderflow_contracts.fields import now
from orderflow_hosting.doctor import Disagreement
from orderflow_workflow_runtime.damage import TIMER_PATIENCE
from orderflow_workflow_runtime.examining import RECENTLY, SEEN_AGAIN, Examiner, Kind
from orders.doctor.overdue import OverdueInstances

SECOND = timedelta(seconds=1)


class Ward:
    """Instances in an engine, examined on a clock that a test moves."""

    def __init__(self) -> None:
        self.at = now()
        self.engine = ManagedMemoryEngine()
        self.examiner = Examiner(self.engine, lambda *_: False, self.clock)
        self.check = OverdueInstances(self.examiner)

    def clock(self) -> datetime:
        return self.at

    def put(self, instance_id: str, *, waits_until: datetime | None = None) -> None:
        """Add an instance that has a timer, or none."""
        self.engine.put(instance_id)
        started = protos.ExecutionStartedEvent(name="any")
        events: list[Any] = [protos.HistoryEvent(eventId=-1, executionStarted=started)]
        if waits_until is not None:
            timer = protos.TimerCreatedEvent()
            timer.fireAt.FromDatetime(waits_until)
            events.append(protos.HistoryEvent(eventId=1, timerCreated=timer))
        self.engine.recordings[instance_id] = events

    async def page(self) -> list[Disagreement]:
        """Return what the check finds; it has only one page."""
        look = await self.check.page(None)
        assert look.next is None
        return list(look.disagreements)


@pytest.fixture
def ward() -> Ward:
    return Ward()


@pytest.mark.parametrize(
    ("instance_id", "subject"),
    [
        ("o1", "o1"),
        ("undo.o1", "o1"),
        ("undo.o1.2", "o1"),
        ("pick.o1", "o1"),
        ("batch.b1", "b1"),
        ("stock-monitor.cars", "cars"),
    ],
)
async def test_a_workflow_that_waits_for_an_overdue_timer_is_found(
    ward: Ward, instance_id: str, subject: str
) -> None:
    """It is found from the first suspicion on, also by its order; the replacement heals it."""
    ward.put(instance_id, waits_until=ward.at - TIMER_PATIENCE - SECOND)
    ward.put("o7", waits_until=ward.at + TIMER_PATIENCE)
    assert await ward.page() == []

    for each in (instance_id, "o7"):
        assert await ward.examiner.examine(each) is None

    (found,) = await ward.page()
    assert (found.kind, found.about, found.heal) == (LOST_TIMER, f"workflow {instance_id}", None)
    assert "timer 1" in found.detail
    assert await ward.check.of(subject) == [found]
    assert await ward.check.of("o7") == []


async def test_a_batch_that_waits_in_vain_is_found_under_its_own_id(ward: Ward) -> None:
    """What the caller of the examiner suspects is shown like what the examiner does."""
    ward.put("batch.b1")
    recording = await ward.engine.recording("batch.b1")
    what = "order a cannot report its end"

    ward.examiner.confirm("batch.b1", Kind.LOST_TIMER, what, recording)

    found = [Disagreement(LOST_TIMER, "workflow batch.b1", what)]
    assert await ward.page() == found
    assert await ward.check.of("b1") == found
    ward.examiner.confirm("batch.b1", Kind.LOST_TIMER, None, recording)
    assert await ward.page() == []


async def test_a_workflow_that_goes_on_or_is_replaced_is_found_no_more(ward: Ward) -> None:
    """The suspicion is dropped at the next examination, or with the instance."""
    for instance_id in ("o1", "o2"):
        ward.put(instance_id, waits_until=ward.at - TIMER_PATIENCE - SECOND)
        await ward.examiner.examine(instance_id)
    assert [each.about for each in await ward.page()] == ["workflow o1", "workflow o2"]

    fired = protos.HistoryEvent(eventId=-1, timerFired=protos.TimerFiredEvent(timerId=1))
    ward.engine.recordings["o1"].append(fired)
    await ward.examiner.examine("o1")
    assert [each.about for each in await ward.page()] == ["workflow o2"]

    ward.examiner.forget("o2")
    assert await ward.page() == []


async def test_a_workflow_that_is_examined_no_more_is_not_found_for_long(ward: Ward) -> None:
    """Its order may have ended since."""
    ward.put("o1", waits_until=ward.at - TIMER_PATIENCE - SECOND)
    await ward.examiner.examine("o1")

    ward.at += RECENTLY - SECOND
    assert [each.about for each in await ward.page()] == ["workflow o1"]
    ward.at += SECOND
    assert await ward.page() == []


async def test_workflows_that_are_lost_or_were_just_created_are_not_overdue(ward: Ward) -> None:
    """Other checks find the lost ones, and a new one has done nothing yet."""
    ward.engine.put("o1")
    for instance_id in ("o1", "o2"):
        assert await ward.examiner.examine(instance_id) is None
    assert await ward.page() == []

    ward.at += SEEN_AGAIN
    lost = await ward.examiner.examine("o2")

    assert lost is not None
    assert lost.kind is Kind.LOST_INSTANCE
    assert await ward.page() == []
