"""Finished workflows are forgotten after a while; what they did is not."""

from pathlib import Path

import yaml

from orderflow_tools.platform import Platform
from system.shop import Shop, wait_for
from system.stores import Isolated

ROOT = Path(__file__).parents[2]


def keep_for(platform: Platform, age: str) -> None:
    """Let this platform's orders forget completed workflows after another time."""
    file = platform.settings.run / "components" / "configuration.yaml"
    document = yaml.safe_load(file.read_text())
    document["spec"]["workflow"]["stateRetentionPolicy"]["completed"] = age
    file.write_text(yaml.safe_dump(document))
    former = platform.kill("orders-daprd")
    platform.wait_for_restart("orders-daprd", former)
    platform.wait_until_ready()


def test_a_finished_history_goes_and_the_order_stays(tmp_path: Path, isolated: Isolated) -> None:
    """The engine forgets; the order, its payment and its being done once are kept."""
    with Platform(isolated(tmp_path / "platform")) as platform:
        keep_for(platform, "3s")
        shop = Shop(platform)
        data = shop.order_data("kept-1")
        shop.submit_stubbornly(data)
        order = shop.wait_final("kept-1")
        status = shop.url("orders", "/workflows/kept-1/status")
        wait_for("the history to be gone", lambda: shop.http.get(status).status_code == 404)
        shop.submit_stubbornly(data)
        shop.submit_stubbornly({**data, "order_id": "kept-2"})
        shop.wait_final("kept-2")
        assert shop.order("kept-1") == order
        assert shop.payments("kept-1") == [("charge", 5_00)]
        assert shop.stock("paperclip")["on_hand"] == 98
        shop.close()


def test_all_finished_workflows_are_forgotten_one_day() -> None:
    """The configuration names a time for each way to end."""
    document = yaml.safe_load((ROOT / "components" / "configuration.yaml").read_text())
    policy = document["spec"]["workflow"]["stateRetentionPolicy"]
    assert set(policy) == {"completed", "terminated", "failed"}
