"""What faults strike, and what a fault is."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chaos.disturbed_platform import DisturbedPlatform
from orders.workflow_names import PICK_PREFIX
from system.shop import Shop

ENGINE_KEYS = "orders||dapr.internal*"
"""The keys of the workflow engine; the broker's own keys are in the same Redis."""

RUNNING = ("received", "reserved", "awaiting_approval", "approved", "paid")


@dataclass
class World:
    """A running platform, and the seed that makes a run repeatable."""

    platform: DisturbedPlatform
    shop: Shop
    seed: int
    draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    @property
    def data(self) -> Path:
        """The folder for the data of all processes."""
        return self.platform.settings.data

    def engine_keys(self) -> dict[str, list[bytes]]:
        """Return the keys of the engine by instance, for instances of workflows only."""
        found: dict[str, list[bytes]] = {}
        for key in sorted(self.shop.broker.scan_iter(match=ENGINE_KEYS, count=1000)):
            parts = key.decode().split("||")
            if parts[1].endswith(".workflow"):
                found.setdefault(parts[2], []).append(key)
        return found

    def some_running(self, most: int) -> dict[str, list[bytes]]:
        """Return the engine's keys of up to so many running orders, or of their tasks."""
        keys = self.engine_keys()
        orders = [each for status in RUNNING for each in self._with_status(status)]
        running = {f"{prefix}{each}" for each in orders for prefix in ("", PICK_PREFIX)}
        known = sorted(running & keys.keys())
        chosen = self.draw.sample(known, min(most, len(known)))
        return {each: keys[each] for each in chosen}

    def _with_status(self, status: str) -> list[str]:
        params = {"status": status, "limit": "100"}
        answer = self.shop.http.get(self.shop.url("orders", "/orders"), params=params)
        return [each["order_id"] for each in answer.raise_for_status().json()["items"]]


class Fault(Protocol):
    """Something that goes wrong for `hold` seconds; its fields are in its description."""

    hold: float

    def strike(self, world: World) -> None:
        """Let it go wrong."""

    def end(self, world: World) -> None:
        """Let it end, as the machine or its keeper would."""
