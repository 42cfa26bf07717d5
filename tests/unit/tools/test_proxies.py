"""The environment of started processes on a machine with a proxy."""

from pathlib import Path

import pytest

from orderflow_tools.platform import Platform
from orderflow_tools.proxies import bypassing, without
from orderflow_tools.settings import Settings


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_loopback_is_added_to_the_exceptions(name: str) -> None:
    """Programs read one of the two spellings, so both have the same value."""
    made = bypassing({name: "example.com, 127.0.0.1", "HTTP_PROXY": "http://proxy"})

    assert made["no_proxy"] == made["NO_PROXY"] == "example.com,127.0.0.1,localhost,::1"
    assert made["HTTP_PROXY"] == "http://proxy"


def test_the_processes_of_a_run_reach_each_other_without_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that `make run` starts gets the exceptions with the proxies."""
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "")

    made = Platform(Settings.isolated(tmp_path)).environment()

    assert made["http_proxy"] == "http://proxy:3128"
    assert {"127.0.0.1", "localhost"} <= set(made["no_proxy"].split(","))


def test_a_cluster_gets_no_proxy() -> None:
    """Its API server would call its own webhooks through it."""
    given = {"HTTPS_PROXY": "a", "all_proxy": "b", "no_proxy": "c", "PATH": "d", "proxy": "e"}

    assert without(given) == {"no_proxy": "c", "PATH": "d", "proxy": "e"}
