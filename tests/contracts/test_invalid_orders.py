"""Reading what can be read of invalid orders."""

from typing import Any

import pytest

from orderflow_contracts.invalid_orders import readable_customer, readable_lines


@pytest.mark.parametrize(
    ("data", "customer", "lines"),
    [
        ({"customer_id": "alice"}, "alice", []),
        ({"customer_id": "", "lines": "cars"}, "unknown", []),
        ({"customer_id": ["alice"], "lines": {"item": "cars"}}, "unknown", []),
        ({"item": "cars", "quantity": 0}, "anonymous", []),
        ({"item": "cars", "quantity": 2, "order_id": "no id!"}, "anonymous", [("cars", 2)]),
        ({"item": "cars", "quantity": 2, "customer_id": "\n"}, "unknown", [("cars", 2)]),
        (
            {
                "lines": [
                    {"item": "cars", "quantity": 1},
                    {"item": "cars", "quantity": 2},
                    {"item": "computers", "quantity": "many"},
                    None,
                    {"item": "paperclip", "quantity": 3},
                ]
            },
            "unknown",
            [("cars", 1), ("paperclip", 3)],
        ),
        ([1], "unknown", []),
        (None, "unknown", []),
    ],
)
def test_what_is_valid_by_itself_is_read(
    data: Any, customer: str, lines: list[tuple[str, int]]
) -> None:
    """The rest is left out."""
    assert readable_customer(data) == customer
    assert [(line.item, line.quantity) for line in readable_lines(data)] == lines
