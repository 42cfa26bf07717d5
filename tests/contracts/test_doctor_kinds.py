"""The kinds of disagreement, on whose names programs rely."""

import re
from pathlib import Path

import pytest

import approvals
import orderflow_hosting
import orders
from orderflow_contracts import doctor
from orderflow_contracts.doctor import KINDS, Kind

DECLARED = {name: value for name, value in vars(doctor).items() if isinstance(value, Kind)}
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for package in (orders, approvals, orderflow_hosting)
    for path in Path(package.__path__[0]).rglob("*.py")
)


def test_every_declared_kind_is_listed() -> None:
    """The reference and the command know it."""
    assert set(KINDS.values()) == set(DECLARED.values())
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in KINDS)


@pytest.mark.parametrize("constant", DECLARED)
def test_every_kind_is_found_by_a_check(constant: str) -> None:
    """No kind is promised that nothing looks for."""
    assert re.search(rf"\b{constant}\b", SOURCES)


def test_the_names_of_kinds_stay() -> None:
    """Programs rely on them."""
    assert set(KINDS) >= {
        "lost_instance",
        "unknown_instance",
        "reserved_without_order",
        "reserved_after_end",
        "charged_without_order",
        "approval_outlived",
        "approval_missing",
        "decision_not_taken",
        "task_without_workflow",
        "task_missing",
        "unpublished_messages",
        "unhandled_events",
        "compensation_outstanding",
        "compensation_failed",
        "needs_attention",
    }
