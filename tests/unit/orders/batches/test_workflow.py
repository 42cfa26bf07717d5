"""The batch workflow: a limited number of orders at a time, whatever their outcomes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from fakes.workflow_run import ChildEnds, Event, TimerFires, WorkflowRun
from orders.batches.messages import BatchRun
from orders.batches.workflow import order_batch_workflow
from orders.ordering.messages import OrderRun

Happening = Event | TimerFires | ChildEnds


def child_ends(order_id: str, *, fails: bool = False) -> ChildEnds:
    return ChildEnds(instance_id=order_id, error="it failed" if fails else None)


def start(
    count: int,
    parallelism: int,
    happenings: Iterable[Happening],
    looks: int = 1,
    starts_at_once: int = 0,
) -> Any:
    """Run a batch that ends at the given check; record how many orders are in progress."""
    left = looks

    async def answer(name: str, payload: Any) -> object:
        nonlocal left
        assert payload == {"batch_id": "b1"}
        if name == "open_batch_activity":
            return {"orders": [{"order_id": f"o{n}", "run_id": f"r{n}"} for n in range(count)]}
        left -= 1
        return {"has_ended": left == 0}

    batch = BatchRun(
        batch_id="b1",
        parallelism=parallelism,
        starts_at_once=starts_at_once,
        approval_threshold_cents=1,
        approval_timeout_seconds=2,
        retry_timeout_seconds=3,
    )
    return WorkflowRun(order_batch_workflow, batch, answer, happenings=happenings)


def children_before_each_event(run: Any) -> list[int]:
    """Return a list that grows by the number of children in progress with each event to come."""
    counts: list[int] = []
    happen = run._happen

    def count(happening: Any) -> None:
        counts.append(len(run.running_children))
        happen(happening)

    run._happen = count
    return counts


async def test_the_number_of_running_orders_is_limited() -> None:
    """The next one starts when one has ended, whatever its outcome."""
    run = start(7, 3, [child_ends(f"o{n}", fails=n % 2 == 0) for n in (2, 0, 1, 3, 5, 4, 6)])
    most = children_before_each_event(run)
    result = await run.run_to_end()

    assert most == [3, 3, 3, 3, 3, 2, 1]
    assert result == {"batch_id": "b1", "orders_run": 7}


async def test_an_order_gets_only_its_id_its_batch_and_the_configuration() -> None:
    """The batch's history stays small."""
    run = start(1, 1, [child_ends("o0")])
    await run.run_to_end()

    first_child = OrderRun.model_validate(run.children[0].input)
    assert (first_child.order_id, first_child.run_id, first_child.batch_id) == ("o0", "r0", "b1")
    assert (first_child.lines, first_child.customer_id, first_child.received_at) == ((), None, None)
    assert first_child.approval_timeout_seconds == 2


async def test_a_waiting_order_frees_its_place() -> None:
    """It frees one place even if it reports twice; later, one more than allowed may run."""
    run = start(
        3,
        1,
        [
            Event("order_waits", "o0"),
            Event("order_waits", "o0"),
            child_ends("o1"),
            child_ends("o2"),
            child_ends("o0"),
        ],
    )

    assert (await run.run_to_end())["orders_run"] == 3
    assert [child.instance_id for child in run.children] == ["o0", "o1", "o2"]


async def test_the_batch_waits_for_orders_run_elsewhere() -> None:
    """It checks again after pauses that grow up to five minutes."""
    run = start(0, 1, [TimerFires()] * 9, looks=10)
    await run.run_to_end()

    pauses = [pause.total_seconds() for pause in run.timers]
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert max(run.timers) == timedelta(minutes=5)


async def test_a_limit_of_starts_fills_the_window_step_by_step() -> None:
    """Each event starts two orders until the window is full, then one for each that ended."""
    run = start(8, 4, [child_ends(f"o{n}") for n in range(8)], starts_at_once=2)
    most = children_before_each_event(run)
    result = await run.run_to_end()

    assert most == [2, 3, 4, 4, 4, 3, 2, 1]
    assert result == {"batch_id": "b1", "orders_run": 8}
