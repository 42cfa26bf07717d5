"""Set-up that all tests share."""

import pytest
from hypothesis import settings

import isolation

FOLDER = isolation.isolate()

# These check for many tests, and should tell as much as tests do.
pytest.register_assert_rewrite("system.rush", "system.storefront")

# On a busy machine an example may take long for no reason of its own.
settings.register_profile("orderflow", deadline=None)
settings.load_profile("orderflow")


def pytest_unconfigure() -> None:
    """Remove the tests' home folder."""
    isolation.remove(FOLDER)
