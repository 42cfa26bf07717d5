"""Stock monitors: when they alert, how long they pause, and one for each item."""

from datetime import timedelta
from typing import Any

import pytest

from fakes.managed_engine import ManagedMemoryEngine
from fakes.orders_ports import Promised, RoomInventory
from fakes.outboxes import fail_once
from fakes.pauses import short_pause
from fakes.waiting import until
from fakes.workflow_run import Event, TimerFires, WorkflowRun, carried_out_by
from orderflow_contracts.inventory import LowStock, ReserveRequest
from orderflow_contracts.orders import OrderLine
from orderflow_hosting.background import BackgroundWork
from orderflow_hosting.database import Database
from orderflow_workflow_runtime.instances import RuntimeStatus
from orderflow_workflow_runtime.ports import AlreadyRunning, EngineUnavailable
from orders.config import OrdersSettings
from orders.own_instances import MONITORS
from orders.stock.messages import Monitored
from orders.stock.service import StockMonitors, subject_of
from orders.stock.workflow import stock_monitor_workflow

LONG, SHORT = timedelta(seconds=40), timedelta(seconds=4)


class StartingEngine(ManagedMemoryEngine):
    """Records what was started; answers as configured."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.started: list[tuple[str, str, Any]] = []
        self.failures = list(failures)

    async def start(self, workflow: str, instance_id: str, payload: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.started.append((workflow, instance_id, payload.model_dump()))


@pytest.fixture
def settings() -> OrdersSettings:
    return OrdersSettings.model_validate(
        {
            "APP_API_TOKEN": "a-token-for-tests",
            "low_stock_thresholds": {"cars": 10},
            "stock_check_seconds": LONG.total_seconds(),
            "low_stock_check_seconds": SHORT.total_seconds(),
        }
    )


@pytest.fixture
def monitors(
    settings: OrdersSettings,
    inventory: RoomInventory,
    database: Database,
) -> StockMonitors:
    return StockMonitors(settings, ManagedMemoryEngine(), inventory, database, BackgroundWork())


async def a_round(
    monitors: StockMonitors,
    monitored: Monitored,
    happening: Event | TimerFires | None = None,
) -> WorkflowRun:
    run = WorkflowRun(
        stock_monitor_workflow,
        monitored,
        carried_out_by(monitors),
        happenings=[happening or TimerFires()],
    )
    await run.run_to_end()
    return run


async def take(inventory: RoomInventory, order_id: str, quantity: int) -> None:
    lines = (OrderLine(item="cars", quantity=quantity),)
    await inventory.reserve(ReserveRequest(order_id=order_id, lines=lines))


async def test_it_alerts_once_until_the_stock_has_recovered(
    monitors: StockMonitors, inventory: RoomInventory, publisher: Promised
) -> None:
    """It alerts below the threshold, and again only after the stock was at or above it."""
    monitored = Monitored(item="cars")
    seen = []
    for change in ("nothing", "to 10", "to 9", "to 8", "back to 98", "to 7"):
        match change:
            case "to 10":
                await take(inventory, "a", 90)
            case "to 9":
                await take(inventory, "b", 1)
            case "to 8":
                await take(inventory, "c", 1)
            case "back to 98":
                await inventory.release("a")
            case "to 7":
                await take(inventory, "d", 91)
        run = await a_round(monitors, monitored)
        ((next_round, keeps_events),) = run.continued_with
        assert keeps_events
        monitored = Monitored.model_validate(next_round)
        seen.append((change, run.timers, len(publisher.low)))

    assert seen == [
        ("nothing", [LONG], 0),
        ("to 10", [LONG], 0),
        ("to 9", [SHORT], 1),
        ("to 8", [SHORT], 1),
        ("back to 98", [LONG], 1),
        ("to 7", [SHORT], 2),
    ]
    assert [low for _, low in publisher.low] == [
        LowStock(item="cars", available=9, threshold=10),
        LowStock(item="cars", available=7, threshold=10),
    ]
    assert len({event_id for event_id, _ in publisher.low}) == 2


async def test_an_event_makes_it_check_at_once(monitors: StockMonitors) -> None:
    """The event ends the pause."""
    run = await a_round(monitors, Monitored(item="cars"), Event("check_now"))

    assert run.continued_with == [({"item": "cars", "is_low": False}, True)]


async def test_its_custom_status_shows_the_last_check(monitors: StockMonitors) -> None:
    """Operators can read it."""
    run = await a_round(monitors, Monitored(item="cars"))

    assert run.custom_status == '{"available": 100, "threshold": 10}'


async def test_an_unavailable_inventory_is_retried_soon(
    monitors: StockMonitors, inventory: RoomInventory, publisher: Promised
) -> None:
    """An earlier alert is not forgotten meanwhile."""
    inventory.failures.append(ConnectionError("away"))

    run = await a_round(monitors, Monitored(item="cars", is_low=True))

    assert run.timers == [timedelta(seconds=15)]
    assert run.continued_with == [({"item": "cars", "is_low": True}, True)]
    assert publisher.low == []


async def test_a_failed_alert_is_sent_later(
    monitors: StockMonitors, inventory: RoomInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert that failed does not count as sent."""
    await take(inventory, "a", 95)
    fail_once(monkeypatch, "orders.stock.service.add_within", ConnectionError("away"))

    run = await a_round(monitors, Monitored(item="cars"))

    assert run.continued_with == [({"item": "cars", "is_low": False}, True)]


async def test_the_monitor_of_an_item_no_longer_watched_ends(
    monitors: StockMonitors,
) -> None:
    """The configuration is read at each check, so the workflow ends by itself."""
    run = await a_round(monitors, Monitored(item="paperclip"))

    assert run.continued_with == []


async def test_an_item_unknown_to_inventory_counts_as_low(
    settings: OrdersSettings,
    inventory: RoomInventory,
    database: Database,
    publisher: Promised,
) -> None:
    """None of it is available, so somebody should know."""
    watching = settings.model_copy(update={"low_stock_thresholds": {"yachts": 1}})

    monitors = StockMonitors(watching, ManagedMemoryEngine(), inventory, database, BackgroundWork())
    await a_round(monitors, Monitored(item="yachts"))

    assert [low.available for _, low in publisher.low] == [0]


async def test_each_item_has_one_monitor(
    settings: OrdersSettings,
    inventory: RoomInventory,
    database: Database,
) -> None:
    """A running one goes on; an unavailable engine is retried."""
    watching = settings.model_copy(update={"low_stock_thresholds": {"cars": 10, "tea set": 2}})
    engine = StartingEngine(AlreadyRunning("stock-monitor.cars"), EngineUnavailable("away"))

    background = BackgroundWork(short_pause)
    monitors = StockMonitors(watching, engine, inventory, database, background)
    await monitors.start()
    await until(lambda: not background)

    assert engine.started == [
        (
            "stock_monitor_workflow",
            MONITORS.id_of(subject_of("tea set")),
            {"item": "tea set", "is_low": False},
        )
    ]


async def test_the_monitor_of_an_earlier_version_is_replaced(
    settings: OrdersSettings, inventory: RoomInventory, database: Database
) -> None:
    """It ends before the new one starts, which knows what was reported; others keep their id."""
    engine = ManagedMemoryEngine()
    former = {"item": "cars", "is_low": True}
    engine.put("stock-monitor-cars", name="stock_monitor_workflow", payload=former)
    engine.put("stock-monitor-tea", name="order_processing_workflow")
    watching = settings.model_copy(update={"low_stock_thresholds": {"cars": 10, "tea": 1}})
    background = BackgroundWork(short_pause)

    for _ in range(2):
        await StockMonitors(watching, engine, inventory, database, background).start()
        await until(lambda: not background)

    monitors = {
        instance.instance_id: (instance.runtime_status, instance.input)
        for instance in engine.instances.values()
        if instance.name == "stock_monitor_workflow"
    }
    assert monitors == {
        "stock-monitor-cars": (RuntimeStatus.TERMINATED, former),
        "stock-monitor.cars": (RuntimeStatus.RUNNING, former),
        "stock-monitor.tea": (RuntimeStatus.RUNNING, {"item": "tea", "is_low": False}),
    }
    assert engine.instances["stock-monitor-tea"].runtime_status is RuntimeStatus.RUNNING


def test_a_name_that_is_not_valid_in_an_id_is_hashed() -> None:
    """Different items have different monitors."""
    assert subject_of("cars") == "cars"
    assert " " not in subject_of("tea set")
    assert subject_of("tea set") != subject_of("tea-set")
