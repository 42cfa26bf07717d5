"""A workflow changes while orders wait for approval: docs/how-to/change-a-workflow.md."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings
from system.shop import Shop, assert_records_agree, wait_for
from system.stores import Isolated
from system.workflows import Workflows

CHANGED = Path(__file__).with_name("changed_orders.py")
STEP = "screen_customer_activity"


class ChangedSettings(Settings):
    """Settings of a run with the changed orders service."""

    @property
    def python(self) -> str:
        """A program that stands in for Python, and starts the changed service instead of orders."""
        return str(self.home / "changed-python")


def change(settings: Settings, how: str) -> Settings:
    """Return the same settings with the changed orders service."""
    python = shlex.quote(settings.python)
    changed = ChangedSettings(
        root=settings.root,
        home=settings.home,
        ports=settings.ports,
        databases=settings.databases,
    )
    settings.home.mkdir(exist_ok=True)
    program = Path(changed.python)
    program.write_text(
        f'#!/bin/sh\n[ "$2 $3" = "orders " ] && exec {python} {shlex.quote(str(CHANGED))} {how}\n'
        f'exec {python} "$@"\n'
    )
    program.chmod(0o755)
    return changed


@pytest.fixture
def settings(tmp_path: Path, isolated: Isolated) -> Settings:
    return isolated(tmp_path / "platform")


def with_platform(settings: Settings, work: Callable[[Shop], None]) -> None:
    """Run the platform with these settings."""
    with Platform(settings) as platform:
        shop = Shop(platform)
        work(shop)
        shop.close()


def steps(shop: Shop, order_id: str) -> list[str]:
    """Return the names of the activities that an order's workflow has started."""
    events = Workflows(shop).get(f"/{order_id}/history").json()["items"]
    return [event["name"] for event in events if event["type"] == "task_scheduled"]


def wait_for_approval(shop: Shop, order_id: str) -> None:
    shop.submit_until_accepted(shop.order_data(order_id, "cars", 4))
    shop.wait_approval(order_id, "pending")


def approve(shop: Shop, order_id: str) -> None:
    shop.wait_approval(order_id, "pending")
    assert shop.decide(order_id, approved=True).status_code == 200
    assert shop.wait_final(order_id)["status"] == "completed"


def test_a_guarded_change_keeps_the_old_path_for_running_orders(settings: Settings) -> None:
    """Old orders follow the old path, new orders the new one, also after a restart."""
    changed = change(settings, "guarded")
    with_platform(settings, lambda shop: wait_for_approval(shop, "old"))

    def after_the_change(shop: Shop) -> None:
        wait_for_approval(shop, "new")
        wait_for_approval(shop, "newer")
        approve(shop, "old")
        approve(shop, "new")
        assert STEP not in steps(shop, "old")
        assert steps(shop, "new")[0] == STEP

    def after_a_restart(shop: Shop) -> None:
        approve(shop, "newer")
        assert steps(shop, "newer").count(STEP) == 1
        ended = shop.wait_all_final(["old", "new", "newer"])
        assert_records_agree(shop, ended)

    with_platform(changed, after_the_change)
    with_platform(changed, after_a_restart)


def test_an_order_outlives_an_unguarded_change(settings: Settings) -> None:
    """The workflow's status gives the reason; a new run carries the order to its proper end."""
    careless = change(settings, "careless")
    with_platform(settings, lambda shop: wait_for_approval(shop, "old"))

    def after_the_change(shop: Shop) -> None:
        workflows = Workflows(shop)
        assert shop.decide("old", approved=True).status_code == 200

        def failure() -> object:
            return workflows.get("/old/status").json().get("failure")

        failed = wait_for("the workflow to fail", failure)
        assert isinstance(failed, dict)
        assert failed["code"] == "NON_DETERMINISTIC"

    def after_the_repair(shop: Shop) -> None:
        order = shop.wait_final("old")
        assert order["status"] == "completed"
        assert_records_agree(shop, [order])
        assert shop.stock("cars")["on_hand"] == 96

    with_platform(careless, after_the_change)
    with_platform(settings, after_the_repair)
