"""Histories damaged by hand, and lost timers: new runs carry the orders to their proper ends."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from dapr.ext.workflow._durabletask.internal import protos

from orderflow_tools.platform import Platform
from system.shop import Shop, assert_records_agree, wait_for
from system.stores import Isolated

HEALED_SECONDS = 90.0
"""An instance that cannot go on is found and replaced within a minute, on a slow machine later."""
NO_ENTRIES = b"\x08\x01"
"""Added to the metadata of an instance: it has one entry in its inbox, which does not exist."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, isolated: Isolated) -> Iterator[Shop]:
    """Run a platform that these tests damage."""
    with Platform(isolated(tmp_path_factory.mktemp("damaged"))) as running:
        shop = Shop(running)
        yield shop
        shop.close()


class Entries:
    """The entries of an instance in the engine's store."""

    def __init__(self, shop: Shop, instance_id: str) -> None:
        self._store = shop.broker
        self._prefix = f"orders||dapr.internal.default.orders.workflow||{instance_id}||"

    def history(self) -> dict[str, Any]:
        """Return the events of the history, by their keys, oldest first."""
        found: Any = self._store.keys(f"{self._prefix}history-*")
        keys = sorted(key.decode() for key in found)
        return {key: protos.HistoryEvent.FromString(self._read(key)) for key in keys}

    def first(self, kind: str, event_id: int | None = None) -> str:
        """Return the key of the first event of a kind."""
        return next(
            key
            for key, event in self.history().items()
            if event.WhichOneof("eventType") == kind and event_id in {None, event.eventId}
        )

    def copy(self, source: str, target: str) -> None:
        """Overwrite one entry with another."""
        self.write(target, self._read(source))

    def write(self, key: str, data: bytes) -> None:
        """Overwrite an entry."""
        self._store.hset(key, "data", data)

    def delete(self, key: str) -> None:
        """Delete an entry."""
        self._store.delete(key)

    def expect_inbox(self) -> None:
        """Let the metadata say that there is an entry in the inbox."""
        key = f"{self._prefix}metadata"
        self.write(key, self._read(key) + NO_ENTRIES)

    def all(self) -> dict[bytes, bytes]:
        """Return all entries as they are stored."""
        keys: Any = self._store.keys(f"{self._prefix}*")
        return {key: self._store.dump(key) or b"" for key in keys}

    def put_back(self, earlier: dict[bytes, bytes]) -> None:
        """Set the entries back to an earlier state."""
        self._store.delete(*self.all())
        for key, value in earlier.items():
            self._store.restore(key, 0, value)

    def _read(self, key: str) -> bytes:
        data: Any = self._store.hget(key, "data")
        return bytes(data)


def repeat_action(entries: Entries) -> None:
    """Have an action in the history twice, as after an answer to the wrong turn."""
    turns = [k for k, e in entries.history().items() if e.HasField("workflowStarted")]
    entries.copy(entries.first("taskScheduled", 2), turns[-1])


def lose_start_of_action(entries: Entries) -> None:
    """Keep the result of an action, and lose its start."""
    entries.copy(entries.first("workflowStarted"), entries.first("taskScheduled", 1))


def lose_beginning(entries: Entries) -> None:
    """Lose the beginning of the history."""
    entries.copy(entries.first("workflowStarted"), entries.first("executionStarted"))


def lose_entry(entries: Entries) -> None:
    """Lose an entry, so that the engine cannot load the instance."""
    entries.delete(entries.first("taskScheduled", 1))


def garble_entry(entries: Entries) -> None:
    """Make an entry unreadable."""
    entries.write(entries.first("taskScheduled", 1), b"\xff\xff\xff")


def lose_inbox(entries: Entries) -> None:
    """Make the inbox unreadable."""
    entries.expect_inbox()


DAMAGES: tuple[Callable[[Entries], None], ...] = (
    repeat_action,
    lose_start_of_action,
    lose_beginning,
    lose_entry,
    garble_entry,
    lose_inbox,
)
UNREADABLE = {lose_entry, garble_entry, lose_inbox}


@contextmanager
def offline(shop: Shop) -> Iterator[None]:
    """Kill orders and its sidecar, so that no copy of the engine's store is left in memory."""
    former = {name: shop.platform.kill(name) for name in ("orders", "orders-daprd")}
    yield
    for name, pid in former.items():
        shop.platform.wait_for_restart(name, pid)
    shop.platform.wait_until_ready()


def saved(shop: Shop, instance_id: str) -> list[dict[str, Any]]:
    """Return the saved histories of an instance."""
    response = shop.http.get(shop.url("orders", f"/workflows/{instance_id}/saved-histories"))
    if response.status_code == 404:
        return []
    items: list[dict[str, Any]] = response.raise_for_status().json()["items"]
    return items


def lose_scheduler(shop: Shop) -> None:
    """Delete the scheduler's data, and start it again."""
    platform = shop.platform
    pid = platform.kill("scheduler", signal.SIGSTOP)
    shutil.rmtree(platform.settings.data / "scheduler")
    platform.kill("scheduler")
    platform.wait_for_restart("scheduler", pid)


def test_orders_with_damaged_histories_are_completed(shop: Shop) -> None:
    """Whatever is wrong with the history: it is saved, and a new run carries the order on.

    Half of the orders are approved while their instances are damaged, the others afterwards.
    """
    before = shop.stock("cars")["on_hand"]
    damaged = {shop.submit("cars", 4): damage for damage in DAMAGES}
    for order_id in damaged:
        shop.wait_approval(order_id, "pending")
    with offline(shop):
        for order_id, damage in damaged.items():
            damage(Entries(shop, order_id))

    early = list(damaged)[::2]
    for order_id in early:
        assert shop.decide(order_id, approved=True).status_code == 200
    for order_id, damage in damaged.items():
        found = partial(saved, shop, order_id)
        histories = wait_for(f"{damage.__name__} to be found", found, HEALED_SECONDS)
        assert bool(histories[0]["events"]) is (damage not in UNREADABLE), damage
    for order_id in damaged.keys() - early:
        assert shop.decide(order_id, approved=True).status_code == 200

    ended = [shop.wait_final(order_id) for order_id in damaged]
    assert {order["status"] for order in ended} == {"completed"}
    assert_records_agree(shop, ended)
    assert shop.stock("cars")["on_hand"] == before - 4 * len(damaged)
    assert shop.stock("cars")["reserved"] == 0
    assert {len(saved(shop, order_id)) for order_id in damaged} == {1}
    assert not shop.dead_letters("approvals")


def test_orders_in_flight_end_although_the_schedulers_data_is_deleted(shop: Shop) -> None:
    """They wait for a person, for inventory, and in the pause before a retry."""
    waiting = shop.submit("cars", 4)
    shop.wait_approval(waiting, "pending")
    shop.restock("paperclip", 40)
    shop.platform.kill("inventory", signal.SIGSTOP)
    orders = [shop.submit() for _ in range(4)]
    wait_for("a pause before a retry", lambda: any(is_pausing(shop, each) for each in orders))
    lose_scheduler(shop)
    shop.platform.kill("inventory", signal.SIGCONT)
    shop.platform.wait_until_ready()
    assert shop.decide(waiting, approved=True).status_code == 200

    ended = shop.wait_all_final([waiting, *orders], timeout=HEALED_SECONDS)
    assert {order["status"] for order in ended} == {"completed"}
    assert_records_agree(shop, ended)
    assert shop.stock("paperclip")["reserved"] == 0


def is_pausing(shop: Shop, order_id: str) -> bool:
    """Whether the last thing that an order's workflow did was to set a timer."""
    history = list(Entries(shop, order_id).history().values())
    return bool(history) and history[-1].HasField("timerCreated")


def test_an_order_whose_history_was_set_back_is_completed(shop: Shop) -> None:
    """The engine's store has lost its last writes: the order is paid, its workflow waits."""
    order_id = shop.submit("cars", 4)
    shop.wait_approval(order_id, "pending")
    entries = Entries(shop, order_id)
    earlier = entries.all()
    shop.platform.kill("inventory", signal.SIGSTOP)
    assert shop.decide(order_id, approved=True).status_code == 200
    shop.wait_status(order_id, "paid")
    with offline(shop):
        entries.put_back(earlier)
        shop.platform.kill("inventory", signal.SIGCONT)

    ended = shop.wait_final(order_id, timeout=HEALED_SECONDS)
    assert ended["status"] == "completed"
    assert_records_agree(shop, [ended])
