import pytest

from inventory import keeper


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the keeper read again at once."""
    monkeypatch.setattr(keeper, "FIRST_PAUSE_SECONDS", 0.0)
