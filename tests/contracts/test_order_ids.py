"""Order ids, as they are read from data that may not be valid otherwise."""

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
def test_an_order_is_read_where_there_is_one(data: object, order_id: str | None) -> None:
    """Only what can be an order's id is taken for one."""
    assert readable_order_id(data) == order_id
