"""Accessibility checks of a page by axe."""

from typing import Any, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""WCAG levels A and AA, and axe's best practices."""


def assert_accessible(page: Page, what: str) -> None:
    """Run axe on a page in its current state; fail with all its findings."""
    page.evaluate(AXE_SCRIPT)
    options = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"]}
    results: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
    found = [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]
    assert not found, "\n".join([what, *found])
    assert results["testEngine"]["name"] == "axe-core", "axe did not look"
