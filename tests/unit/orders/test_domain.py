"""The number of people who must approve an order."""

import pytest

from orders.domain import approval_levels


@pytest.mark.parametrize(
    ("total", "second", "levels"),
    [
        (0, None, 0),
        (100, None, 0),
        (101, None, 1),
        (10**9, None, 1),
        (100, 100, 0),
        (101, 100, 2),
        (101, 200, 1),
        (200, 200, 1),
        (201, 200, 2),
    ],
)
def test_each_threshold_adds_an_approver(total: int, second: int | None, levels: int) -> None:
    """A total at the threshold is not above it; the second threshold is optional."""
    assert approval_levels(total, 100, second) == levels
