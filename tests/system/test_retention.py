"""Finished workflows are purged after a while; their effects stay."""

from pathlib import Path

import yaml

from orderflow_tools.platform import Platform
from system.shop import Shop, wait_for
from system.stores import Isolated

ROOT = Path(__file__).parents[2]


def keep_for(platform: Platform, age: str) -> None:
    """Set how long this platform keeps the history of completed workflows."""
    file = platform.settings.run / "components" / "configuration.yaml"
    document = yaml.safe_load(file.read_text())
    document["spec"]["workflow"]["stateRetentionPolicy"]["completed"] = age
    file.write_text(yaml.safe_dump(document))
    former = platform.kill("orders-daprd")
    platform.wait_for_restart("orders-daprd", former)
    platform.wait_until_ready()


def test_a_finished_history_is_purged_and_the_order_stays(
    tmp_path: Path, isolated: Isolated
) -> None:
    """The order, its payment and its protection against duplicates stay."""
    with Platform(isolated(tmp_path / "platform")) as platform:
        keep_for(platform, "3s")
        shop = Shop(platform)
        data = shop.order_data("kept-1")
        shop.submit_until_accepted(data)
        order = shop.wait_final("kept-1")
        status = shop.url("orders", "/workflows/kept-1/status")
        wait_for("the history to be purged", lambda: shop.http.get(status).status_code == 404)
        shop.submit_until_accepted(data)
        shop.submit_until_accepted({**data, "order_id": "kept-2"})
        shop.wait_final("kept-2")
        assert shop.order("kept-1") == order
        assert shop.payments("kept-1") == [("charge", 5_00)]
        assert shop.stock("paperclip")["on_hand"] == 98
        shop.close()


def test_every_kind_of_finished_workflow_has_a_retention() -> None:
    """The configuration gives a time for each final status."""
    document = yaml.safe_load((ROOT / "components" / "configuration.yaml").read_text())
    policy = document["spec"]["workflow"]["stateRetentionPolicy"]
    assert set(policy) == {"completed", "terminated", "failed"}
