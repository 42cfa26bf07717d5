"""How the bench tells the ends of its own orders from all else that the stream brings."""

import asyncio
import time

import pytest

from orderflow_lab.bench.orders import _Burst, _ended
from orderflow_tools.errors import PlatformError


def burst_with(order_id: str) -> _Burst:
    burst = _Burst(asyncio.Semaphore(1))
    burst.published[order_id] = time.perf_counter()
    return burst


def change(order_id: str, status: str, reason: str | None = None) -> dict[str, str | None]:
    return {"order_id": order_id, "status": status, "reason": reason}


def test_a_completed_order_has_its_latency_noted() -> None:
    """The time from its publication to its final status is kept, in ms."""
    burst = burst_with("mine")

    assert _ended(burst, change("mine", "completed"))
    assert len(burst.latencies_ms) == 1
    assert 0 <= burst.latencies_ms[0] < 60_000


@pytest.mark.parametrize("status", ["received", "reserved", "paid"])
def test_a_status_on_the_way_is_no_end(status: str) -> None:
    """Only a final status ends an order."""
    burst = burst_with("mine")

    assert not _ended(burst, change("mine", status))
    assert burst.latencies_ms == []


def test_orders_of_others_are_left_out() -> None:
    """A stream that is read again brings the orders of earlier bursts."""
    assert not _ended(burst_with("mine"), change("another", "completed"))


def test_an_order_that_ends_otherwise_ends_the_bench() -> None:
    """What a rejection costs is not what is measured; the message tells which and why."""
    with pytest.raises(PlatformError, match=r"mine ended as rejected \(out_of_stock\)"):
        _ended(burst_with("mine"), change("mine", "rejected", "out_of_stock"))
