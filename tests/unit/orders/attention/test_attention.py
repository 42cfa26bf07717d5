"""Orders that need attention: a failed rollback is retried until everything is undone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from fakes.access import opened
from fakes.orders_ports import MemoryEngine, RoomInventory
from fakes.pauses import short_pause
from fakes.waiting import until
from fakes.workflow_run import WorkflowRun, carried_out_by
from orderflow_contracts.inventory import ReserveRequest
from orderflow_contracts.orders import OrderLine, OrderStatus, OrderSubmitted, Reason
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import Instance
from orders.attention.activities import AttentionActivities
from orders.attention.api import attention_router
from orders.attention.service import Attention
from orders.attention.store import AttentionStore
from orders.http import http_app
from orders.ordering.activities import OrderActivities
from orders.ordering.messages import Retried, Undoing, Undone
from orders.ordering.store import OrderStore
from orders.ordering.undo import OrderUndo
from orders.ordering.undo_workflow import order_undo_workflow
from orders.payments.service import RecordedPayments

ORDER = OrderSubmitted(
    order_id="o1", customer_id="alice", lines=(OrderLine(item="cars", quantity=4),)
)
RELEASE, REFUND = "release_inventory_activity", "refund_payment_activity"
WITHDRAW, WITHDRAW_TASK = "withdraw_approval_activity", "withdraw_task_activity"
CONCLUDE = "conclude_retry_activity"


class Remembering(MemoryEngine):
    """An engine that remembers what the order's own workflow could not undo."""

    def __init__(self) -> None:
        super().__init__()
        self.custom_status: Any = None

    async def instance(self, instance_id: str, *, payloads: bool = True) -> Instance | None:
        found = await super().instance(instance_id, payloads=payloads)
        update = {"custom_status": self.custom_status}
        return None if found is None else found.model_copy(update=update)


@pytest.fixture
def engine() -> Remembering:
    return Remembering()


@pytest.fixture
async def next_process(
    database: Database, engine: Remembering, store: OrderStore
) -> AsyncIterator[Callable[[], Attention]]:
    begun: list[Attention] = []

    def begin() -> Attention:
        undo, background = OrderUndo(engine, store), BackgroundWork(short_pause)
        begun.append(Attention(AttentionStore(database), engine, undo, background))
        return begun[-1]

    yield begin
    for attention in begun:
        await attention._background.stop()


@pytest.fixture
def attention(next_process: Callable[[], Attention]) -> Attention:
    return next_process()


@pytest.fixture
async def http(attention: Attention, store: OrderStore) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(opened(http_app(attention_router(attention, store))))
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


@pytest.fixture
async def failed_order(
    store: OrderStore, inventory: RoomInventory, payments: RecordedPayments
) -> OrderSubmitted:
    """Make an order that has ended but still holds stock and a payment."""
    await store.accept(ORDER)
    await inventory.reserve(ReserveRequest(order_id="o1", lines=ORDER.lines))
    await payments.charge("o1", "alice", 60_000_00)
    await store.record("o1", "run", OrderStatus.RESERVED, total_cents=60_000_00)
    await store.record(
        "o1", "run", OrderStatus.NEEDS_ATTENTION, reason=Reason.UNDO_FAILED, total_cents=60_000_00
    )
    return ORDER


class Steps:
    """The activities of orders and of attention together."""

    def __init__(self, activities: OrderActivities, attention: Attention) -> None:
        self._activities = activities
        self.conclude_retry_activity = AttentionActivities(attention).conclude_retry_activity

    def __getattr__(self, name: str) -> object:
        return getattr(self._activities, name)

    async def withdraw_task_activity(self, _: object, why: Undoing) -> None:
        """Withdraw nothing: there is no task."""


# Retries


async def test_a_retried_rollback_settles_an_order_without_changing_its_status(
    http: httpx.AsyncClient,
    attention: Attention,
    activities: OrderActivities,
    engine: Remembering,
    inventory: RoomInventory,
    payments: RecordedPayments,
    store: OrderStore,
    failed_order: OrderSubmitted,
) -> None:
    """Payment and stock are returned, and the order shows who requested the retry."""
    answer = await http.post("/orders/o1/retry")

    assert answer.status_code == 202
    assert answer.json()["retrying_since"] is not None
    await until(lambda: len(engine.undone) == 1)
    await WorkflowRun(
        order_undo_workflow, engine.undone[0], carried_out_by(Steps(activities, attention))
    ).run_to_end()

    settled = (await http.get("/orders/o1/attention")).json()
    assert settled["settled_at"] is not None
    assert (settled["retrying_since"], settled["not_undone"]) == (None, [])
    assert inventory.quantities("cars") == (100, 0)
    assert [entry.kind for entry in await payments.store.entries("o1")] == ["charge", "refund"]
    order = await store.order(failed_order.order_id)
    assert order is not None
    assert order.status is OrderStatus.NEEDS_ATTENTION
    assert len(order.history) == 3


@pytest.mark.usefixtures("failed_order")
async def test_a_failed_retry_names_what_failed_and_can_be_retried(
    attention: Attention, engine: Remembering
) -> None:
    """The next retry undoes only what is left, in a new workflow instance."""
    await attention.retry("o1", "olga")
    await attention.conclude(Retried(order_id="o1", retry=1, not_undone=(REFUND,)))

    found = await attention.of("o1")
    assert found is not None
    assert (found.not_undone, found.settled_at, found.retries) == ((REFUND,), None, 1)
    assert found.failed_at is not None

    await until(lambda: len(engine.undone) == 1)
    await attention.retry("o1", "otto")
    await until(lambda: len(engine.undone) == 2)
    assert (engine.undone[1].retry, engine.undone[1].compensations) == (2, (REFUND,))
    await attention.conclude(Retried(order_id="o1", retry=2))
    settled = await attention.of("o1")
    assert settled is not None
    assert settled.settled_by == "otto"


@pytest.mark.usefixtures("failed_order")
async def test_two_concurrent_retries_start_one_instance(
    http: httpx.AsyncClient, engine: Remembering
) -> None:
    """The second one finds the first running; a repeated start has the same id."""
    first, second = await asyncio.gather(
        http.post("/orders/o1/retry"), http.post("/orders/o1/retry")
    )

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    await until(lambda: len(engine.undone) >= 1)
    assert {undone.retry for undone in engine.undone} == {1}


@pytest.mark.usefixtures("failed_order")
async def test_an_earlier_retry_cannot_conclude_a_later_one(attention: Attention) -> None:
    """If an end is reported twice, the late report does not settle the current retry."""
    await attention.retry("o1", "olga")
    await attention.conclude(Retried(order_id="o1", retry=1, not_undone=(RELEASE,)))
    await attention.retry("o1", "olga")

    await attention.conclude(Retried(order_id="o1", retry=1))

    found = await attention.of("o1")
    assert found is not None
    assert (found.settled_at, found.retries) == (None, 2)
    assert found.retrying_since is not None


@pytest.mark.usefixtures("failed_order")
async def test_the_next_process_resumes_a_retry_that_was_not_started(
    attention: Attention, next_process: Callable[[], Attention], engine: Remembering
) -> None:
    """The first process was killed between recording and starting it."""
    engine.is_down = True
    await attention.retry("o1", "olga")
    await attention._background.stop()
    engine.is_down = False
    assert not engine.undone

    await next_process().resume()

    await until(lambda: len(engine.undone) == 1)
    assert (engine.undone[0].order_id, engine.undone[0].run_id) == ("o1", "run")


# Refusals


async def test_an_unknown_order_cannot_be_retried(http: httpx.AsyncClient) -> None:
    """The answer is 404, and nothing is recorded."""
    response = await http.post("/orders/nobody/retry")

    assert (response.status_code, response.json()["code"]) == (404, "ORDER_NOT_FOUND")


async def test_only_an_order_that_needs_attention_can_be_retried(
    http: httpx.AsyncClient, store: OrderStore, engine: Remembering
) -> None:
    """An order in progress gets 409, and has no attention entry."""
    await store.accept(ORDER)

    response = await http.post("/orders/o1/retry")
    assert (response.status_code, response.json()["code"]) == (409, "NOTHING_TO_RETRY")
    read = await http.get("/orders/o1/attention")
    assert (read.status_code, read.json()["code"]) == (404, "NO_ATTENTION_NEEDED")
    assert not engine.undone


@pytest.mark.usefixtures("failed_order")
async def test_a_settled_order_cannot_be_retried(
    http: httpx.AsyncClient, attention: Attention
) -> None:
    """The answer is 409, because everything is undone."""
    await attention.retry("o1", "olga")
    await attention.conclude(Retried(order_id="o1", retry=1))

    response = await http.post("/orders/o1/retry")

    assert (response.status_code, response.json()["code"]) == (409, "NOTHING_TO_RETRY")


# The first failure


@pytest.mark.usefixtures("failed_order")
async def test_failed_compensations_are_read_from_the_workflows_status(
    attention: Attention, engine: Remembering, intake: Any
) -> None:
    """The custom status names the activities, and only these are retried."""
    await intake._start_run(ORDER, "run")  # it had a workflow
    engine.custom_status = {"not_undone": [RELEASE]}

    found = await attention.of("o1")
    assert found is not None
    assert found.not_undone == (RELEASE,)
    await attention.retry("o1", "olga")
    await until(lambda: len(engine.undone) == 1)
    assert engine.undone[0].compensations == (RELEASE,)


@pytest.mark.usefixtures("failed_order")
async def test_an_order_needing_attention_is_shown_without_the_engine(
    attention: Attention, engine: Remembering
) -> None:
    """What is left to undo is unknown then, but the order is listed."""
    engine.is_down = True

    found = await attention.of("o1")

    assert found is not None
    assert found.not_undone is None


# The workflow


def again(*failing: str, only: tuple[str, ...] | None = None) -> WorkflowRun:
    async def answer(name: str, payload: Any) -> object:  # noqa: ARG001 # an answer's signature
        if name in failing:
            raise ConnectionError("does not answer")
        return {}

    undone = Undone(
        order_id="o1",
        run_id="run",
        status=OrderStatus.NEEDS_ATTENTION,
        reason=Reason.UNDO_FAILED,
        total_cents=60_000_00,
        received_at=datetime(2026, 3, 1, tzinfo=UTC),
        withdraws_task=True,
        retry=1,
        only=only,
    )
    return WorkflowRun(order_undo_workflow, undone, answer)


@pytest.mark.parametrize(
    ("only", "steps"),
    [
        (None, [WITHDRAW_TASK, WITHDRAW, REFUND, RELEASE]),
        ((RELEASE,), [RELEASE]),
        ((RELEASE, WITHDRAW_TASK), [WITHDRAW_TASK, RELEASE]),
    ],
)
async def test_only_remaining_steps_are_undone_newest_first(
    only: tuple[str, ...] | None, steps: list[str]
) -> None:
    """If what is left is unknown, everything is undone; no status is published."""
    run = again(only=only)

    assert await run.run_to_end() == {"order_id": "o1", "status": "settled"}

    assert [call.name for call in run.calls] == [*steps, CONCLUDE]
    assert run.calls[-1].input == {"order_id": "o1", "retry": 1, "not_undone": []}


async def test_compensations_that_fail_again_are_reported() -> None:
    """The others are undone all the same."""
    run = again(REFUND)

    assert await run.run_to_end() == {"order_id": "o1", "status": "not_undone"}

    assert run.calls[-1].input["not_undone"] == [REFUND]


async def test_the_retry_time_of_a_step_is_part_of_the_input(
    engine: Remembering, store: OrderStore
) -> None:
    """It is the setting at the start; instances of earlier versions retry for an hour."""
    await store.accept(ORDER)
    await OrderUndo(engine, store, timeout_seconds=5).undo("o1", None)
    told = engine.undone[0].model_dump(mode="json")

    async def answer(name: str, payload: Any) -> object:  # noqa: ARG001 # an answer's signature
        return {}

    earlier = {key: told[key] for key in told if key != "undo_timeout_seconds"}
    for given, expected in ((told, timedelta(seconds=5)), (earlier, timedelta(hours=1))):
        run = WorkflowRun(order_undo_workflow, Undone.model_validate(given), answer)
        await run.run_to_end()
        assert run.calls[0].retry.retry_timeout == expected
