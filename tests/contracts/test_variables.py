"""The names of environment variables, and the detection of misspelt ones."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderflow_contracts import variables
from orderflow_hosting.settings import ServiceSettings
from orderflow_tools.ports import Ports
from orderflow_tools.settings import find_checkout

NAME = re.compile(r"\bORDERFLOW(?:_[A-Z]+)+\b(?![_{<…*])")
TEXTS = {".py", ".md", ".yaml", ".http", ".sh", ""}


def texts() -> Iterator[Path]:
    root = find_checkout()
    for top in ("cli", "deploy", "docs", "lab", "libraries", "services", "tests", "tools"):
        yield from (path for path in (root / top).rglob("*") if path.suffix in TEXTS)
    yield from (root / "README.md", root / "CONTRIBUTING.md", root / "Makefile", root / "dapr.yaml")


def test_every_variable_in_code_or_documents_is_listed() -> None:
    """The list is shared by all programs."""
    named = {
        (name, str(path))
        for path in texts()
        if path.is_file() and "node_modules" not in path.parts
        for name in NAME.findall(path.read_text(encoding="utf-8", errors="replace"))
    }

    assert {name for name, _ in named} > {"ORDERFLOW_HOME", "ORDERFLOW_ACCESS_FILE"}
    assert sorted(each for each in named if each[0] not in variables.SHARED) == []


def test_every_port_has_its_variable() -> None:
    """Services accept the variables that move a run's ports."""
    ports = {variable for variable, _ in Ports.from_environment({}).by_variable()}

    assert ports <= variables.SHARED | variables.PORTS


def test_the_services_common_settings_are_listed() -> None:
    """The list has exactly the settings that all services share."""
    aliases = {str(field.validation_alias) for field in ServiceSettings.model_fields.values()}

    assert {each for each in aliases if each.startswith("ORDERFLOW_")} == variables.FOR_SERVICES


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ORDERS_APPROVAL_TIMEOUT", "did you mean ORDERS_APPROVAL_TIMEOUT_SECONDS?"),
        ("orders_picker", "did you mean ORDERS_PICKERS?"),
        ("ORDERS_FOO", "unset it"),
        ("ORDERS_PICKERS_PORT", "did you mean ORDERS_PICKERS?"),
    ],
)
def test_an_unknown_variable_is_an_error(name: str, hint: str) -> None:
    """The error suggests the closest name, if there is one."""
    known = {"ORDERS_APPROVAL_TIMEOUT_SECONDS", "ORDERS_PICKERS"}

    [(found, fault)] = variables.mistakes({name: "1", "OTHER": "1"}, ["ORDERS_"], known)

    assert found == name
    assert hint in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERS_SERVICE_HOST", "10.96.7.1"),
        ("ORDERS_SERVICE_PORT", "8001"),
        ("ORDERS_SERVICE_PORT_HTTP", "8001"),
        ("ORDERS_PORT", "tcp://10.96.7.1:8001"),
        ("ORDERS_PORT_8001_TCP", "tcp://10.96.7.1:8001"),
        ("ORDERS_PORT_8001_TCP_PROTO", "tcp"),
        ("ORDERS_PORT_8001_TCP_PORT", "8001"),
        ("ORDERS_PORT_8001_TCP_ADDR", "10.96.7.1"),
        ("ORDERS_DAPR_SERVICE_PORT_DAPR_GRPC", "50001"),
        ("ORDERS_DAPR_PORT_9090_TCP_ADDR", "10.96.7.2"),
        ("ORDERS_PICKER", ""),
    ],
)
def test_variables_set_by_kubernetes_are_accepted(name: str, value: str) -> None:
    """A pod gets variables for each Service of its namespace; empty ones are ignored."""
    assert list(variables.mistakes({name: value}, ["ORDERS_"], {"ORDERS_PICKERS"})) == []
