"""How the bench recognizes the ends of its own orders in the stream."""

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


def test_the_latency_of_a_completed_order_is_recorded() -> None:
    """It is the time from publication to final status, in ms."""
    burst = burst_with("mine")

    assert _ended(burst, change("mine", "completed"))
    assert len(burst.latencies_ms) == 1
    assert 0 <= burst.latencies_ms[0] < 60_000


@pytest.mark.parametrize("status", ["received", "reserved", "paid"])
def test_an_intermediate_status_is_no_end(status: str) -> None:
    """Only a final status ends an order."""
    burst = burst_with("mine")

    assert not _ended(burst, change("mine", status))
    assert burst.latencies_ms == []


def test_other_orders_are_ignored() -> None:
    """A stream that is read again contains the orders of earlier bursts."""
    assert not _ended(burst_with("mine"), change("another", "completed"))


def test_an_order_that_does_not_complete_ends_the_bench() -> None:
    """The cost of a rejection is not measured; the error names the order and the reason."""
    with pytest.raises(PlatformError, match=r"mine ended as rejected \(out_of_stock\)"):
        _ended(burst_with("mine"), change("mine", "rejected", "out_of_stock"))
