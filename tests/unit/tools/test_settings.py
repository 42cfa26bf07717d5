from pathlib import Path

import pytest

from orderflow_contracts.variables import PREFIX
from orderflow_tools.errors import PlatformError
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout


def test_the_default_home_is_in_the_checkout() -> None:
    """Without variables, all files of a run are in .orderflow."""
    settings = Settings.from_environment({})

    assert settings.home == find_checkout() / ".orderflow"
    assert settings.is_default


def test_a_run_with_another_home_or_port_is_not_the_default_run() -> None:
    """The root dapr.yaml describes only the default run."""
    assert not Settings.from_environment({"ORDERFLOW_PORT_OFFSET": "1"}).is_default
    assert not Settings.from_environment({"ORDERFLOW_HOME": "/elsewhere"}).is_default


def test_services_get_their_ports_and_the_place_of_their_data(tmp_path: Path) -> None:
    """The environment of the services follows from the run's ports and folder."""
    settings = Settings.isolated(tmp_path)

    environment = settings.service_environment()

    assert environment["ORDERS_HTTP_PORT"] == str(settings.ports.apps["orders"].http)
    assert (
        environment["APPROVALS_DATABASE_URL"] == f"sqlite:///{tmp_path.resolve()}/data/approvals.db"
    )


def test_variables_for_services_override_the_defaults(tmp_path: Path) -> None:
    """A value from a test or a user overrides what follows from the folder."""
    settings = Settings.isolated(
        tmp_path, ORDERS_APPROVAL_TIMEOUT_SECONDS="3", ORDERS_DATABASE_URL="postgresql://db/orders"
    )

    environment = settings.service_environment()

    assert environment["ORDERS_APPROVAL_TIMEOUT_SECONDS"] == "3"
    assert environment["ORDERS_DATABASE_URL"] == "postgresql://db/orders"


def test_the_users_variables_reach_the_services() -> None:
    """Variables that the user has exported for a service are passed on."""
    settings = Settings.from_environment({"ORDERS_DATABASE_URL": "postgresql://db/orders"})

    assert settings.service_environment()["ORDERS_DATABASE_URL"] == "postgresql://db/orders"


def test_clients_find_the_run(tmp_path: Path) -> None:
    """The `orderflow` command finds an isolated run by these variables."""
    settings = Settings.isolated(tmp_path)

    assert settings.client_environment()["ORDERFLOW_SIDECAR_URL"] == settings.sidecar_url("orders")


def test_a_database_server_stores_everything() -> None:
    """With a PostgreSQL server, services and stock have databases there, and the run is its own."""
    settings = Settings.from_environment(
        {"ORDERFLOW_POSTGRES_URL": "postgres://me:secret@db:5432/mine"}
    )

    environment = settings.service_environment()

    assert (
        environment["ORDERS_DATABASE_URL"] == "postgresql+psycopg://me:secret@db:5432/mine_orders"
    )
    assert (
        environment["ORDERFLOW_INVENTORY_STORE"] == "postgresql://me:secret@db:5432/mine_inventory"
    )
    assert not settings.is_default


def test_a_server_url_that_cannot_be_read_is_refused_without_its_password() -> None:
    """The error shows the expected form, not the URL, which contains a password."""
    with pytest.raises(PlatformError) as refusal:
        Settings.from_environment({"ORDERFLOW_POSTGRES_URL": "mysql://me:secret@db"})

    assert "secret" not in str(refusal.value)


def test_shared_variables_reach_the_services_of_the_users_run_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable protects the APIs of the user's own run, but not those of a test's run."""
    monkeypatch.delenv("ORDERFLOW_HOME")
    monkeypatch.setenv("ORDERFLOW_APIS_CLOSED", "1")
    monkeypatch.setenv("ORDERFLOW_PROXY_ADDRESSES", "10.0.0.1")
    monkeypatch.setenv("ORDERFLOW_TOKEN", "mine")

    own = Platform(Settings.from_environment()).environment()
    other = Platform(Settings.isolated(tmp_path)).environment()

    assert own["ORDERFLOW_APIS_CLOSED"] == "1"
    assert own["ORDERFLOW_ACCESS_FILE"] == str(find_checkout() / ".orderflow" / "access.json")
    assert not {"ORDERFLOW_APIS_CLOSED", "ORDERFLOW_PROXY_ADDRESSES"} & set(other)
    assert other["ORDERFLOW_ACCESS_FILE"] == str(tmp_path.resolve() / "access.json")
    assert "ORDERFLOW_TOKEN" not in {**own, **other}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (f"{PREFIX}PORT_OFSET", "1", "did you mean ORDERFLOW_PORT_OFFSET?"),
        ("ORDERFLOW_PORT_OFFSET", "abc", "must be a whole number"),
        ("ORDERFLOW_PORT_OFFSET", "-1000", "must be a whole number"),
        ("ORDERFLOW_HOME", "~no-such-user/home", "there is no user with the name in"),
        ("ORDERFLOW_POSTGRES_URL", "postgresql://[oops", "must look like"),
        ("ORDERFLOW_POSTGRES_URL", "postgresql://host:port/x", "must look like"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, message: str) -> None:
    """An invalid or unknown variable ends the tools with one line."""
    with pytest.raises(PlatformError) as refusal:
        Settings.from_environment({name: value})

    assert name in str(refusal.value)
    assert message in str(refusal.value)
