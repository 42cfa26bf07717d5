"""Which access settings are valid."""

from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from orderflow_contracts.access import Role
from orderflow_hosting.settings import ServiceSettings, load


class Settings(ServiceSettings):
    """Settings of a service."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")


@pytest.fixture(autouse=True)
def needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_HTTP_PORT", "SHOP_GRPC_PORT", "DAPR_HTTP_PORT", "DAPR_GRPC_PORT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("APP_API_TOKEN", "only for tests, of no use")


def test_loopback_is_open_by_default() -> None:
    """Without settings the APIs are open, cookies work over HTTP, and no proxy is trusted."""
    settings = load(Settings)

    assert settings.is_local
    assert not settings.are_apis_closed
    assert not settings.are_cookies_secure
    assert settings.proxy_addresses == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "shop.example"])  # noqa: S104 # not served
def test_beyond_loopback_a_file_is_required_and_the_apis_need_sign_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    """A service that others can reach does not start without the file."""
    monkeypatch.setenv("SHOP_HTTP_HOST", host)
    monkeypatch.setenv("ORDERFLOW_APIS_CLOSED", "false")
    with pytest.raises(SystemExit):
        load(Settings)
    assert "cannot start: ORDERFLOW_ACCESS_FILE: " in capsys.readouterr().err

    monkeypatch.setenv("ORDERFLOW_ACCESS_FILE", "access.json")
    settings = load(Settings)
    assert settings.access_file == Path("access.json")
    assert settings.are_apis_closed
    assert settings.are_cookies_secure


def test_every_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are written with commas, groups as JSON."""
    for name, value in {
        "APIS_CLOSED": "1",
        "PROXY_ADDRESSES": "10.0.0.1, fd00::/8",
        "PROXY_USER_HEADER": "X-Forwarded-User",
        "PROXY_GROUPS": '{"a": ["approver", "viewer"]}',
        "PUBLIC_HOSTS": "Shop.example,b.example",
        "SESSION_HOURS": "1.5",
        "COOKIES_SECURE": "true",
    }.items():
        monkeypatch.setenv(f"ORDERFLOW_{name}", value)

    settings = load(Settings)

    assert settings.are_apis_closed
    assert settings.are_cookies_secure
    assert [str(each) for each in settings.proxy_addresses] == ["10.0.0.1/32", "fd00::/8"]
    assert settings.proxy_user_header == "x-forwarded-user"
    assert settings.proxy_groups == {"a": (Role.VIEWER, Role.APPROVER)}
    assert settings.public_hosts == ("shop.example", "b.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROXY_ADDRESSES", "proxy.example"),
        ("PROXY_USER_HEADER", "X User"),
        ("PROXY_GROUPS", '{"a": ["admin"]}'),
        ("PUBLIC_HOSTS", "http://shop.example"),
        ("PUBLIC_HOSTS", "shop.example/path"),
        ("PUBLIC_HOSTS", "*.shop.example"),
        ("PUBLIC_HOSTS", "shop.example:0"),
        ("PUBLIC_HOSTS", "shop.example:65536"),
        ("PUBLIC_HOSTS", "shop.example:https"),
        ("PUBLIC_HOSTS", "[shop.example]"),
        ("PUBLIC_HOSTS", "[::1"),
        ("PUBLIC_HOSTS", "fe80::1%eth0"),
        ("PUBLIC_HOSTS", "127.1"),
        ("PUBLIC_HOSTS", "xn--zzzzzz-"),
        ("PUBLIC_HOSTS", "good.example,bad_-.example"),
        ("SESSION_HOURS", "0"),
    ],
)
def test_an_invalid_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """There is one line for the variable, and the service does not start."""
    monkeypatch.setenv(f"ORDERFLOW_{name}", value)

    with pytest.raises(SystemExit):
        load(Settings)

    assert f"cannot start: ORDERFLOW_{name}: " in capsys.readouterr().err
