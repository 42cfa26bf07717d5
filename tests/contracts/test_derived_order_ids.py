"""The ids of orders that whoever submits them does not name."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from orderflow_contracts.fields import readable_order_id
from orderflow_contracts.order_ids import id_of_event, id_of_key

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_documented_formula_gives_the_id_of_an_event() -> None:
    """The parts are preceded by their lengths in bytes; changing this would lose redeliveries."""
    text = "8:/größe12:urn:uuid:7.1"
    expected = hashlib.sha256(text.encode()).hexdigest()[:32]

    assert id_of_event("/größe", "urn:uuid:7.1") == expected
    assert id_of_event("/shop", "urn:uuid:7.1") == "6fd4fe283e62dee8a063f291afda5562"


def test_the_id_of_a_key_stays_as_it_is() -> None:
    """A request that is repeated after an upgrade finds its order."""
    text = b"15:Idempotency-Key5:alice8:8e03978e"

    assert id_of_key("alice", "8e03978e") == hashlib.sha256(text).hexdigest()[:32]


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_different_events_have_different_ids(a: str, b: str, c: str, d: str) -> None:
    """What ends the source cannot begin the id; and each id is a valid order id."""
    ids = {id_of_event(a, b), id_of_event(c, d), id_of_event(a + b, ""), id_of_event("", a + b)}

    assert len(ids) == len({(a, b), (c, d), (a + b, ""), ("", a + b)})
    assert all(readable_order_id({"order_id": each}) == each for each in ids)
    assert id_of_key(a, b) not in ids
