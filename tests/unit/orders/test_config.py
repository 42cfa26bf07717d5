"""The settings that orders accepts."""

import pytest

from orderflow_hosting.settings import load
from orders.config import OrdersSettings

SECOND = "ORDERS_SECOND_APPROVAL_THRESHOLD_CENTS"
REMINDER = "ORDERS_APPROVAL_REMINDER_AFTER"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_API_TOKEN", "a-token-of-a-test")


def test_the_defaults_are_one_approver_and_a_reminder_half_way() -> None:
    """Without settings, no second approver is needed, and the reminder comes half-way."""
    settings = load(OrdersSettings)

    assert settings.second_approval_threshold_cents is None
    assert settings.approval_reminder_after == 0.5


@pytest.mark.parametrize(
    ("variable", "value"), [(SECOND, "5000000"), (SECOND, ""), (REMINDER, "0"), (REMINDER, "0.99")]
)
def test_valid_settings_are_accepted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """The thresholds may be equal, and the reminder may be off."""
    monkeypatch.setenv(variable, value)

    load(OrdersSettings)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (SECOND, "4999999", "must not be less than ORDERS_APPROVAL_THRESHOLD_CENTS"),
        (SECOND, "much", "valid integer"),
        (REMINDER, "1", "less than 1"),
        (REMINDER, "-0.1", "greater than or equal to 0"),
    ],
)
def test_invalid_settings_prevent_the_start(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    message: str,
) -> None:
    """The process ends with a line that names the variable and the error."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SystemExit):
        load(OrdersSettings)

    output = capsys.readouterr().err
    assert output.startswith(f"cannot start: {variable}: ")
    assert message in output


def test_listening_beyond_loopback_requires_an_access_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line gives the variable's full name, which lacks the service's prefix."""
    monkeypatch.setenv("ORDERS_HTTP_HOST", "0.0.0.0")  # noqa: S104 # as in a pod
    monkeypatch.delenv("ORDERFLOW_ACCESS_FILE", raising=False)

    with pytest.raises(SystemExit):
        load(OrdersSettings)

    assert capsys.readouterr().err.startswith("cannot start: ORDERFLOW_ACCESS_FILE: ")
