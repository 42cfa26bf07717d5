"""Where the command expects the services."""

from pathlib import Path
from typing import Any

import pytest

from orderflow_cli.credentials import access_path
from orderflow_cli.errors import OrderflowError
from orderflow_cli.settings import Settings, load
from orderflow_contracts.variables import FOR_CLIENTS, PREFIX


class Recorded(dict[str, str]):
    """An environment that records which of its variables are read by name."""

    def __init__(self, home: Path) -> None:
        super().__init__(ORDERFLOW_HOME=str(home))
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Record the name."""
        self.names.add(name)
        return super().get(name, default)


def test_the_variables_for_clients_are_those_that_the_command_reads(home: Path) -> None:
    """None is listed, in the reference too, that has no effect."""
    environment = Recorded(home)

    load(environment)

    read = {name for name in environment.names if name.endswith(("_URL", "_TOKEN", "_TOKEN_FILE"))}
    assert read == FOR_CLIENTS


def test_the_defaults_are_the_ports_of_the_local_run(home: Path) -> None:
    """Without variables the services are expected where `make run` starts them."""
    assert load({"ORDERFLOW_HOME": str(home)}) == Settings(
        orders_url="http://127.0.0.1:8001",
        inventory_url="http://127.0.0.1:8002",
        approvals_url="http://127.0.0.1:8003",
        sidecar_url="http://127.0.0.1:3501",
    )


def test_a_url_overrides_a_port_and_a_port_overrides_the_offset(home: Path) -> None:
    """The most specific variable takes precedence."""
    settings = load(
        {
            "ORDERFLOW_PORT_OFFSET": "100",
            "ORDERS_HTTP_PORT": "9001",
            "INVENTORY_HTTP_PORT": "9002",
            "ORDERFLOW_INVENTORY_URL": "https://stock.example/",
            "ORDERFLOW_HOME": str(home),
        }
    )

    assert settings == Settings(
        orders_url="http://127.0.0.1:9001",
        inventory_url="https://stock.example",
        approvals_url="http://127.0.0.1:8103",
        sidecar_url="http://127.0.0.1:3601",
    )


def test_a_misspelt_variable_is_named(home: Path) -> None:
    """An unknown variable is rejected, with a suggestion."""
    with pytest.raises(OrderflowError, match=r"_URL: .*did you mean ORDERFLOW_\w+_URL\?"):
        load({"ORDERFLOW_HOME": str(home), f"{PREFIX}URL": "http://127.0.0.1:8001"})


@pytest.mark.parametrize("name", ["ORDERFLOW_HOME", "ORDERFLOW_ACCESS_FILE"])
def test_a_home_of_an_unknown_user_is_named(home: Path, name: str) -> None:
    """A path that begins with an unknown user is reported in one sentence."""
    environment = {"ORDERFLOW_HOME": str(home), name: "~no-such-user/file"}

    with pytest.raises(OrderflowError, match=f"{name}: there is no user"):
        access_path(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDERFLOW_PORT_OFFSET", "ten"),
        ("ORDERS_HTTP_PORT", "8001x"),
        ("ORDERS_DAPR_HTTP_PORT", "70000"),
        ("ORDERFLOW_PORT_OFFSET", "-9000"),
        ("ORDERFLOW_ORDERS_URL", "localhost:8001"),
        ("ORDERFLOW_APPROVALS_URL", "http://[oops"),
        ("ORDERFLOW_APPROVALS_URL", "http://\udcff"),
        ("ORDERFLOW_ORDERS_URL", "http://orders..example"),
        ("ORDERFLOW_ORDERS_URL", f"http://{'o' * 64}.example"),
        ("ORDERFLOW_ORDERS_URL", "http://orders.example/?tenant=1"),
        ("ORDERFLOW_ORDERS_URL", "http://orders.example/#top"),
    ],
)
def test_an_invalid_address_is_named(name: str, value: str) -> None:
    """The error names the invalid variable."""
    with pytest.raises(OrderflowError, match=name):
        load({name: value})
