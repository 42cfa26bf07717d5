"""Set-up that all tests share."""

import pytest
from hypothesis import settings

import isolation

FOLDER = isolation.isolate()

# These contain assertions used by many tests; pytest explains their failures, too.
pytest.register_assert_rewrite("system.rush", "system.storefront")

# On a busy machine any example may be slow.
settings.register_profile("orderflow", deadline=None)
settings.load_profile("orderflow")


def pytest_unconfigure() -> None:
    """Remove the tests' home folder."""
    isolation.remove(FOLDER)
