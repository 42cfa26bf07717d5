"""The API documentation, in a browser."""

import re

import pytest
from playwright.sync_api import expect

from browser.visitors import Visitors
from orderflow_tools.settings import APPS


@pytest.mark.parametrize("app", APPS)
def test_the_api_documentation_loads_no_other_host(visitors: Visitors, app: str) -> None:
    """It shows requests and responses without loading from another host, and without errors."""
    visitor = visitors()

    visitor.go(app, "/docs")

    expect(visitor.page.get_by_role("button", name="get /healthz").first).to_be_visible()
    expect(visitor.page).to_have_title(re.compile(app, re.IGNORECASE))
