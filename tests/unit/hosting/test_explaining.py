"""Invalid input explained in sentences."""

from typing import Any

import pytest
from pydantic import ValidationError

from orderflow_contracts.orders import OrderSubmitted
from orderflow_hosting.explaining import explain

VALID: dict[str, Any] = {
    "order_id": "o1",
    "customer_id": "alice",
    "lines": [{"item": "cars", "quantity": 1}],
}


def explained(data: object) -> str:
    with pytest.raises(ValidationError) as refused:
        OrderSubmitted.model_validate(data)
    return explain(refused.value)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (
            {**VALID, "lines": [{"item": "cars", "quantity": 0}]},
            "lines.0.quantity is 0: Input should be greater than or equal to 1.",
        ),
        ({**VALID, "customer_id": 7}, "customer_id is 7: Input should be a valid string."),
        ({"order_id": "o1"}, "customer_id is missing. lines is missing."),
        ([1], "body is [1]: must be an object."),
    ],
)
def test_each_sentence_names_the_field_the_value_and_what_is_expected(
    data: object, detail: str
) -> None:
    """What is missing has no value."""
    assert explained(data) == detail


def test_long_values_are_shortened() -> None:
    """A detail stays readable, whatever was sent."""
    detail = explained({**VALID, "customer_id": "a" * 1_000_000})

    assert detail.startswith(f'customer_id is "{"a" * 58}…: ')
    assert len(detail) < 200


def test_only_the_first_errors_are_explained() -> None:
    """The others are counted."""
    lines = [{"item": "cars", "quantity": -number} for number in range(8)]
    detail = explained({**VALID, "lines": lines})

    assert detail.count("quantity") == 5
    assert detail.endswith("3 more fields are invalid.")


def test_a_rule_of_ours_is_explained_in_its_own_words() -> None:
    """Without the prefix of the library."""
    detail = explained({**VALID, "lines": VALID["lines"] * 2})

    assert detail.endswith(": item 'cars' is named more than once.")
