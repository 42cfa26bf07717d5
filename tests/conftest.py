"""Set-up that all tests share."""

from typing import Any

import pytest
from hypothesis import settings

import isolation

FOLDER = isolation.isolate()

# These contain assertions used by many tests; pytest explains their failures, too.
pytest.register_assert_rewrite("system.rush", "system.storefront")

# On a busy machine any example may be slow.
settings.register_profile("orderflow", deadline=None)
settings.load_profile("orderflow")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist what was set where the tests were started."""
    node.workerinput["machine"] = dict(isolation.MACHINE)


def pytest_configure(config: pytest.Config) -> None:
    """Remember it, in such a worker."""
    if told := getattr(config, "workerinput", None):
        isolation.remember(told["machine"])


def pytest_unconfigure() -> None:
    """Remove the tests' home folder."""
    isolation.remove(FOLDER)
