"""Reading order ids from data that may be invalid."""

import pytest

from orderflow_contracts.fields import readable_order_id


@pytest.mark.parametrize(
    ("data", "order_id"),
    [
        ({"order_id": "o-1"}, "o-1"),
        ({"order_id": "o 1"}, None),
        ({"order_id": "o-1\n"}, None),
        ({"order_id": 1}, None),
        ({"order_id": "x" * 65}, None),
        ({}, None),
        ("o-1", None),
        (None, None),
    ],
)
def test_only_a_valid_order_id_is_read(data: object, order_id: str | None) -> None:
    """Anything else is ignored."""
    assert readable_order_id(data) == order_id
