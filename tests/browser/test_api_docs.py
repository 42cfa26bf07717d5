"""The documentation of the APIs, which a developer reads and tries in a browser."""

import re

import pytest
from playwright.sync_api import expect

from browser.visitors import Visitors
from orderflow_tools.settings import APPS


@pytest.mark.parametrize("app", APPS)
def test_the_documentation_loads_from_the_service_alone(visitors: Visitors, app: str) -> None:
    """What an API takes and answers is shown without another host, and without a complaint."""
    visitor = visitors()

    visitor.go(app, "/docs")

    expect(visitor.page.get_by_role("button", name="get /healthz").first).to_be_visible()
    expect(visitor.page).to_have_title(re.compile(app, re.IGNORECASE))
