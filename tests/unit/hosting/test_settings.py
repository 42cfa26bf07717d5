"""How the services' settings are written, and how errors in them are reported."""

import io
import os
from contextlib import redirect_stderr
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.config import ApprovalsSettings
from inventory.config import InventorySettings
from orderflow_contracts import variables
from orderflow_hosting.settings import NOT_CONFIGURED, ServiceSettings, load
from orders.config import OrdersSettings

NEEDED = {"APP_API_TOKEN": "only for tests, of no use"}
EVERY = (OrdersSettings, InventorySettings, ApprovalsSettings)


def variable_of(settings: type[ServiceSettings], field: str) -> str:
    alias = settings.model_fields[field].validation_alias
    return str(alias or f"{settings.model_config['env_prefix']}{field.upper()}")


FIELDS = [
    (settings, field, variable_of(settings, field))
    for settings in EVERY
    for field in settings.model_fields
]
GARBAGE = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.binary(min_size=1).filter(lambda raw: b"\0" not in raw).map(os.fsdecode),
    st.sampled_from(["[" * 50_000, '{"a":' * 50_000, "9" * 5_000, "1e999", "nan", "-inf", "-1"]),
    st.sampled_from(['{"a": 1}', '["a"]', "[]", "{}", "null", "[null]", '[{"item": 7}]', "a,,b"]),
    st.sampled_from(["http://[", "postgresql://:x:y@/z", "mysql://h/d", "sqlite", "1 fortnight"]),
)


def start(
    settings: type[ServiceSettings], given: dict[str, str]
) -> tuple[ServiceSettings | None, list[str]]:
    """Load settings from these variables only; return them, or the lines that were printed."""
    output = io.StringIO()
    with mock.patch.dict(os.environ, {**NEEDED, **given}, clear=True), redirect_stderr(output):
        try:
            return load(settings), []
        except SystemExit as ending:
            code = ending.code
    assert code == NOT_CONFIGURED
    return None, output.getvalue().splitlines()


@given(field=st.sampled_from(FIELDS), value=GARBAGE)
def test_any_text_is_a_valid_value_or_one_error_line(
    field: tuple[type[ServiceSettings], str, str], value: str
) -> None:
    """The error line names the variable, and the service does not start."""
    settings, _, variable = field

    read, lines = start(settings, {variable: value})

    if read is None:
        assert [line.partition(": ")[2].partition(": ")[0] for line in lines] in (
            [variable],
            ["ORDERFLOW_ACCESS_FILE"],  # missing, where the host is not this machine
        )
        assert all(line.startswith("cannot start: ") and line.isprintable() for line in lines)


@pytest.mark.parametrize("settings", EVERY)
def test_without_variables_every_service_starts(settings: type[ServiceSettings]) -> None:
    """The defaults are valid."""
    assert start(settings, {})[1] == []


@pytest.mark.parametrize("value", ["ann,bob", " ann , bob ,", '["ann", "bob"]'])
def test_a_list_is_written_with_commas_or_as_json(value: str) -> None:
    """Both forms mean the same."""
    read, _ = start(OrdersSettings, {"ORDERS_PICKERS": value})

    assert isinstance(read, OrdersSettings)
    assert read.pickers == ("ann", "bob")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("24h", 86_400),
        ("1h30m", 5_400),
        ("1 day", 86_400),
        ("1 day, 2 hours", 93_600),
        ("2 Minutes", 120),
        ("1 week", 604_800),
        ("P1DT1H", 90_000),
        ("PT90S", 90),
        ("00:01:30", 90),
    ],
)
def test_a_duration_is_in_seconds_or_has_a_unit(value: str, seconds: float) -> None:
    """The usual notations are accepted."""
    read, _ = start(OrdersSettings, {"ORDERS_APPROVAL_TIMEOUT_SECONDS": value})

    assert isinstance(read, OrdersSettings)
    assert read.approval_timeout_seconds == seconds


@pytest.mark.parametrize(("value", "hours"), [("8", 8), ("90 min", 1.5), ("1 day", 24)])
def test_a_plain_number_of_a_session_setting_is_in_hours(value: str, hours: float) -> None:
    """The unit is the one in the variable's name."""
    read, _ = start(ApprovalsSettings, {"ORDERFLOW_SESSION_HOURS": value})

    assert read is not None
    assert read.session_hours == hours


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ORDERS_FOO", "1", "there is no such variable"),
        ("ORDERS_APPROVAL_TIMEOUT", "1 day", "did you mean ORDERS_APPROVAL_TIMEOUT_SECONDS?"),
        (f"{variables.PREFIX}API_CLOSED", "1", "did you mean ORDERFLOW_APIS_CLOSED?"),
        ("ORDERS_APPROVAL_TIMEOUT_SECONDS", "soon", "a length of time"),
        ("ORDERS_APPROVAL_TIMEOUT_SECONDS", "inf", "less than or equal to"),
        ("ORDERS_APPROVAL_TIMEOUT_SECONDS", "99999 days", "less than or equal to"),
        ("ORDERS_HTTP_PORT", "99999", "less than or equal to 65535"),
        ("ORDERS_PICKERS", '["ann', "is not valid JSON"),
        ("ORDERS_PICKERS", '{"a": 1}', "must be a list such as a,b"),
        ("ORDERS_LOW_STOCK_THRESHOLDS", "cars", "is not valid JSON"),
        ("ORDERS_LOW_STOCK_THRESHOLDS", '{"cars": 0}', "cars: "),
        ("ORDERS_DATABASE_URL", "mysql://u:secret@h/d", "must be a URL such as sqlite:"),
        ("ORDERS_DATABASE_URL", "sqlite://secret/orders.db", "must be a URL such as sqlite:"),
        ("ORDERS_DATABASE_URL", "sqlite:////x.db?timeout=secret", "must be a URL such as sqlite:"),
        ("ORDERS_DATABASE_URL", "postgresql://u:secret@h:99999/d", "must be a URL such as"),
        ("ORDERS_DATABASE_URL", "postgresql://u:secret@h/d?nosuch=1", "must be a URL such as"),
        ("ORDERS_GRPC_HOST", "127.0.0.1:7001", "without a port"),
        ("APP_API_TOKEN", "a secret of sixteen\n", "must be printable ASCII"),
        ("ORDERS_SESSION_HOURS", "long", "a length of time"),
        ("ORDERFLOW_PROXY_GROUPS", '{"a": "viewer", ', "is not valid JSON"),
        ("LOG_LEVEL", "LOUD", "should be 'DEBUG'"),
    ],
)
def test_an_invalid_setting_ends_the_start_with_one_line(
    variable: str, value: str, message: str
) -> None:
    """The line names the variable as it was set and the fault, without a secret."""
    _, lines = start(OrdersSettings, {variable: value})

    [line] = lines
    assert line.startswith(f"cannot start: {variable}: ")
    assert message in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p@db/orders?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://u:p@/orders?host=/var/run/postgresql&port=5433",
        "postgresql+psycopg://u:p@/orders?host=db1:5432&host=db2:5432",
        "sqlite:////var/lib/orders.db?timeout=5",
    ],
)
def test_database_urls_of_all_kinds_are_accepted(url: str) -> None:
    """Options, sockets and several hosts are allowed, as the drivers support them."""
    assert start(OrdersSettings, {"ORDERS_DATABASE_URL": url})[1] == []


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_addresses_are_accepted_with_and_without_brackets(host: str) -> None:
    """Brackets are removed for listening, and added before a port."""
    read, lines = start(OrdersSettings, {"ORDERS_HTTP_HOST": host, "DAPR_RUNTIME_HOST": host})

    assert read is not None, lines
    assert read.http_host == "::1"
    assert read.sidecar_grpc == f"[::1]:{read.dapr_grpc_port}"
    assert read.sidecar_http == f"http://[::1]:{read.dapr_http_port}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ORDERS_PICKING", " awaited "), ("ORDERS_DATABASE_URL", " sqlite:////x.db\n")],
)
def test_spaces_around_a_value_are_ignored(variable: str, value: str) -> None:
    """They come from files and editors by accident."""
    read, lines = start(OrdersSettings, {variable: value})

    assert isinstance(read, OrdersSettings), lines
    assert value.strip() in {read.picking, read.database_url}


def test_all_invalid_settings_are_reported_at_once() -> None:
    """Three mistakes give three lines."""
    _, lines = start(
        OrdersSettings,
        {"ORDERS_FOO": "1", "ORDERS_PICKING": "maybe", "ORDERFLOW_APIS_CLOSED": "perhaps"},
    )

    names = [line.split(": ")[1] for line in lines]
    assert sorted(names) == ["ORDERFLOW_APIS_CLOSED", "ORDERS_FOO", "ORDERS_PICKING"]


@pytest.mark.parametrize("settings", EVERY)
def test_other_programs_variables_are_accepted(settings: type[ServiceSettings]) -> None:
    """The tools, commands and other services have variables in the same environment."""
    others = dict.fromkeys(
        (variables.SHARED - variables.FOR_SERVICES) | {"ORDERS_ANY", "INVENTORY_ANY"}, "1"
    )
    own = str(settings.model_config["env_prefix"])
    ports = dict.fromkeys(variables.PORTS, "9000")
    given = {k: v for k, v in {**others, **ports}.items() if not k.endswith("_ANY") or own not in k}

    assert start(settings, given)[1] == []
