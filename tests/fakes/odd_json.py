"""Data that no publisher should send, but some will."""

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""All examples share one service, as all events do."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(),
    st.text(),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Co"]), max_size=5),
    st.sampled_from(["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "x" * 3000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def odd(valid: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Generate data of any shape, or a message with missing or invalid fields."""
    fields = st.dictionaries(st.sampled_from(sorted(valid)), VALUES, max_size=2)
    dropped = st.sets(st.sampled_from(sorted(valid)), max_size=1)

    def change(changed: tuple[dict[str, Any], set[str]]) -> dict[str, Any]:
        present = {**valid, **changed[0]}
        return {key: value for key, value in present.items() if key not in changed[1]}

    return st.one_of(VALUES, st.tuples(fields, dropped).map(change))
