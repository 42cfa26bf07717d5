from pathlib import Path

import pytest

from orderflow_contracts.variables import PREFIX
from orderflow_tools.errors import PlatformError
from orderflow_tools.platform import Platform
from orderflow_tools.settings import Settings, find_checkout


def test_the_default_home_is_in_the_checkout() -> None:
    """Without variables, everything that a run leaves behind stays in .orderflow."""
    settings = Settings.from_environment({})

    assert settings.home == find_checkout() / ".orderflow"
    assert settings.is_default


def test_a_moved_home_or_port_is_no_default_run() -> None:
    """The root dapr.yaml describes the default run alone."""
    assert not Settings.from_environment({"ORDERFLOW_PORT_OFFSET": "1"}).is_default
    assert not Settings.from_environment({"ORDERFLOW_HOME": "/elsewhere"}).is_default


def test_services_are_told_where_they_listen_and_keep_their_data(tmp_path: Path) -> None:
    """What the services read from the environment follows from the run's ports and folder."""
    settings = Settings.isolated(tmp_path)

    told = settings.service_environment()

    assert told["ORDERS_HTTP_PORT"] == str(settings.ports.apps["orders"].http)
    assert told["APPROVALS_DATABASE_URL"] == f"sqlite:///{tmp_path.resolve()}/data/approvals.db"


def test_variables_for_services_win(tmp_path: Path) -> None:
    """What a test or a user says about a service wins over what follows from the folder."""
    settings = Settings.isolated(
        tmp_path, ORDERS_APPROVAL_TIMEOUT_SECONDS="3", ORDERS_DATABASE_URL="postgresql://db/orders"
    )

    told = settings.service_environment()

    assert told["ORDERS_APPROVAL_TIMEOUT_SECONDS"] == "3"
    assert told["ORDERS_DATABASE_URL"] == "postgresql://db/orders"


def test_the_users_variables_reach_the_services() -> None:
    """What the user has exported for a service is handed on."""
    settings = Settings.from_environment({"ORDERS_DATABASE_URL": "postgresql://db/orders"})

    assert settings.service_environment()["ORDERS_DATABASE_URL"] == "postgresql://db/orders"


def test_clients_are_pointed_at_the_run(tmp_path: Path) -> None:
    """The `orderflow` command finds an isolated run by these variables."""
    settings = Settings.isolated(tmp_path)

    assert settings.client_environment()["ORDERFLOW_SIDECAR_URL"] == settings.sidecar_url("orders")


def test_a_server_named_by_the_user_keeps_everything() -> None:
    """With a PostgreSQL server, services and stock have databases there, and the run is its own."""
    settings = Settings.from_environment(
        {"ORDERFLOW_POSTGRES_URL": "postgres://me:secret@db:5432/mine"}
    )

    told = settings.service_environment()

    assert told["ORDERS_DATABASE_URL"] == "postgresql+psycopg://me:secret@db:5432/mine_orders"
    assert told["ORDERFLOW_INVENTORY_STORE"] == "postgresql://me:secret@db:5432/mine_inventory"
    assert not settings.is_default


def test_a_server_url_that_cannot_be_read_is_refused_without_its_password() -> None:
    """What is wrong is told by the form that is wanted, for the URL holds a password."""
    with pytest.raises(PlatformError) as refusal:
        Settings.from_environment({"ORDERFLOW_POSTGRES_URL": "mysql://me:secret@db"})

    assert "secret" not in str(refusal.value)


def test_what_is_common_to_services_reaches_them_and_no_other_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own run is closed by one variable; a test's run beside it is not."""
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
    ("name", "value", "said"),
    [
        (f"{PREFIX}PORT_OFSET", "1", "did you mean ORDERFLOW_PORT_OFFSET?"),
        ("ORDERFLOW_PORT_OFFSET", "abc", "must be a whole number"),
        ("ORDERFLOW_PORT_OFFSET", "-1000", "must be a whole number"),
        ("ORDERFLOW_HOME", "~no-such-user/home", "there is no such user"),
        ("ORDERFLOW_POSTGRES_URL", "postgresql://[oops", "must look like"),
        ("ORDERFLOW_POSTGRES_URL", "postgresql://host:port/x", "must look like"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, said: str) -> None:
    """What the tools cannot use, or nobody reads, ends them with one line."""
    with pytest.raises(PlatformError) as refusal:
        Settings.from_environment({name: value})

    assert name in str(refusal.value)
    assert said in str(refusal.value)
