"""Whether this machine can run a node, before anything is changed on it."""

import os
import sys
from pathlib import Path

import pytest

from orderflow_lab.cluster import cgroups, preconditions
from orderflow_lab.cluster.preconditions import check_machine, why_no_node
from orderflow_tools.errors import PlatformError

ALL_RIGHTS = "Name:\tx\nCapEff:\t000001ffffffffff\n"
RIGHTS_IN_A_CONTAINER = "Name:\tx\nCapEff:\t00000000a80425fb\n"


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Make this a machine that can run a node."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preconditions, "_status", lambda: ALL_RIGHTS)
    monkeypatch.setattr(cgroups, "hierarchies", lambda *_: [tmp_path])
    monkeypatch.setattr(preconditions, "CGROUPS", tmp_path)
    return monkeypatch


@pytest.mark.usefixtures("able")
def test_root_on_linux_with_control_groups_can_run_a_node() -> None:
    """No reason is given, so an API server alone is not mistaken for a whole cluster."""
    assert why_no_node() is None


def test_other_users_cannot(able: pytest.MonkeyPatch) -> None:
    """The reason names root, and the error names the alternative."""
    able.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in str(why_no_node())
    with pytest.raises(PlatformError, match="--api-only"):
        check_machine()


def test_other_systems_cannot(able: pytest.MonkeyPatch) -> None:
    """Only Linux has namespaces and control groups."""
    able.setattr(sys, "platform", "darwin")
    assert "Linux" in str(why_no_node())


def test_root_in_a_container_without_rights_cannot(able: pytest.MonkeyPatch) -> None:
    """The missing rights of a container's root are noticed in advance."""
    able.setattr(preconditions, "_status", lambda: RIGHTS_IN_A_CONTAINER)
    assert "rights" in str(why_no_node())


def test_a_machine_without_control_groups_cannot(able: pytest.MonkeyPatch) -> None:
    """The reason names the place where they should be."""
    able.setattr(cgroups, "hierarchies", lambda *_: [])
    assert str(preconditions.CGROUPS) in str(why_no_node())
