"""The command that compares everything."""

import json
from typing import Any

import pytest

from fakes.command import Run
from fakes.shop import Shop
from orderflow_contracts.doctor import LOST_INSTANCE, NEEDS_ATTENTION, Kind

pytestmark = pytest.mark.usefixtures("settings")


def finding(about: str, kind: Kind, *, heals: bool) -> dict[str, Any]:
    return {
        "about": about,
        "kind": kind.name,
        "detail": f"what was seen of {about}",
        "remedy": kind.remedy,
        "heals": heals,
    }


def test_all_agrees(run: Run) -> None:
    """The exit code is 0, with and without healing."""
    for command in (("doctor",), ("doctor", "--fix")):
        outcome = run(*command)
        assert (outcome.code, outcome.lines) == (0, ["Everything agrees."])


def test_a_disagreement_is_explained(run: Run, shop: Shop) -> None:
    """The findings of both services are printed, each with its meaning and its remedy."""
    shop.findings["orders"] = [finding("order o1", LOST_INSTANCE, heals=True)]
    shop.findings["approvals"] = [finding("order o2", NEEDS_ATTENTION, heals=False)]

    outcome = run("doctor")

    assert outcome.code == 5
    printed = " ".join(outcome.out.split())
    for kind, about in ((LOST_INSTANCE, "order o1"), (NEEDS_ATTENTION, "order o2")):
        parts = (f"{kind.name} {about}", f"what was seen of {about}", kind.meaning, kind.remedy)
        assert [part for part in parts if part not in printed] == []
    assert shop.findings["orders"]


def test_one_order_is_looked_at_alone(run: Run, shop: Shop) -> None:
    """What is about others does not count."""
    shop.findings["orders"] = [finding("order o1", LOST_INSTANCE, heals=True)]

    assert run("doctor", "--order-id", "o2").code == 0
    assert run("doctor", "--order-id", "o1").code == 5
    assert "is not a valid order ID" in run("doctor", "--order-id", "../o1").err


def test_a_fix_heals_and_says_what_it_leaves(run: Run, shop: Shop) -> None:
    """The exit code is 0 only once nothing is left."""
    shop.findings["orders"] = [
        finding("order o1", LOST_INSTANCE, heals=True),
        finding("order o2", NEEDS_ATTENTION, heals=False),
    ]

    outcome = run("doctor", "--fix")

    assert outcome.code == 5
    assert outcome.lines[0] == "Healed: order o1: what was seen of order o1 (lost_instance)"
    assert outcome.lines[-1] == "1 healed, 1 left."
    assert "needs_attention" in outcome.out

    shop.findings["orders"] = [finding("order o1", LOST_INSTANCE, heals=True)]
    outcome = run("doctor", "--fix")
    assert (outcome.code, outcome.lines[-1]) == (0, "1 healed, 0 left.")


def test_the_result_as_json(run: Run, shop: Shop) -> None:
    """A program reads the same."""
    shop.findings["approvals"] = [finding("order o1", NEEDS_ATTENTION, heals=False)]

    seen, fixed = run("doctor", "--json"), run("doctor", "--fix", "--json")

    assert json.loads(seen.out)["findings"][0]["kind"] == "needs_attention"
    assert [each["about"] for each in json.loads(fixed.out)["left"]] == ["order o1"]
    assert (seen.code, fixed.code) == (5, 5)
