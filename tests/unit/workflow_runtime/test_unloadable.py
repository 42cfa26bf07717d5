"""Instances that the engine cannot load, told by the texts of its errors."""

import grpc
import pytest

from orderflow_workflow_runtime.upstream.unloadable import is_unloadable


class EngineError:
    """An error of the engine, which has the code UNKNOWN whatever it means."""

    def __init__(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("details", "stays"),
    [
        ("failed to unmarshal history event from history state key 'history-000000': EOF", True),
        ("failed to unmarshal workflow metadata: proto: cannot parse", True),
        ("failed to load workflow state: dial tcp 127.0.0.1:6379: connection refused", False),
        ("no such instance exists", False),
        ("", False),
    ],
)
def test_an_instance_that_cannot_be_parsed_is_told_from_an_unavailable_store(
    details: str, *, stays: bool
) -> None:
    """Only the former stays so."""
    assert is_unloadable(EngineError(details)) is stays
