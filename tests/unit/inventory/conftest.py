import pytest

from inventory import batching


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed transactions without delay."""
    monkeypatch.setattr(batching, "FIRST_PAUSE_SECONDS", 0.0)
