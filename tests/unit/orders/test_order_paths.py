"""Words of the API's paths are no ids of orders, because such an order could not be read."""

from typing import Any, cast

import pytest
from pydantic import ValidationError

from orderflow_contracts.batches import BatchSubmitted
from orderflow_contracts.orders import WORDS_OF_PATHS, PlacedOrder
from orders.batches.service import entries_of
from orders.ordering.api import NewOrder, order_router

ORDER: dict[str, Any] = {"item": "cars", "quantity": 1}


def test_all_words_of_paths_are_known() -> None:
    """A new path beside `/orders/{order_id}` takes another id from orders."""
    routes = order_router(*cast(Any, (None, None, None))).routes
    second_parts = {route.path.split("/")[2:3][0] for route in routes if route.path.count("/") > 1}  # type: ignore[attr-defined]

    assert second_parts - {"{order_id}"} == WORDS_OF_PATHS


@pytest.mark.parametrize("word", sorted(WORDS_OF_PATHS))
def test_an_order_with_such_an_id_is_refused_everywhere(word: str) -> None:
    """By event, over HTTP and in a batch."""
    for model in (PlacedOrder, NewOrder):
        with pytest.raises(ValidationError, match="word of the API's paths"):
            model.model_validate({**ORDER, "order_id": word})
    batch = BatchSubmitted(batch_id="b1", orders=({**ORDER, "order_id": word},))
    (entry,) = entries_of(batch)
    assert "word of the API's paths" in (entry.fault or "")
