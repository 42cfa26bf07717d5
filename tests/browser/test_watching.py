"""The watch on which the other tests rely: it reports everything that a page does wrong."""

import pytest
from playwright.sync_api import Browser

from browser.accessibility import assert_accessible
from browser.watching import Watch

OWN = "http://127.0.0.1:9/"


def _complaints(browser: Browser, html: str, policy: str = "") -> list[str]:
    """Show a page with this content, and return the watch's complaints."""
    context = browser.new_context()
    watch = Watch(context, (OWN,))
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    context.route(OWN, lambda route: route.fulfill(body=html, headers=headers))
    page = context.new_page()
    page.goto(OWN)
    page.wait_for_load_state("networkidle")
    context.close()
    return watch.complaints


@pytest.mark.parametrize(
    ("html", "policy", "words"),
    [
        ("<script>console.error('broken')</script>", "", "console error: broken"),
        ("<script>throw new Error('lost')</script>", "", "uncaught in a script: lost"),
        ("<script>1</script>", "script-src 'self'", "policy violated: script-src-elem inline"),
        ("<p style='color: red'>red</p>", "style-src 'self'", "policy violated: style-src-attr"),
        ("<img src='http://elsewhere.test/a.png' alt=''>", "", "asked another host: http://elsewh"),
        ("<img src='/missing.png' alt=''>", "", "console error: Failed to load resource"),
    ],
)
def test_faults_of_a_page_are_reported(
    browser: Browser, html: str, policy: str, words: str
) -> None:
    """Errors, policy violations and requests to other hosts are reported."""
    icon = "<link rel='icon' href='data:,'>"

    assert any(words in complaint for complaint in _complaints(browser, icon + html, policy))


def test_a_page_without_faults_is_not_reported(browser: Browser) -> None:
    """A plain page gives no complaint."""
    assert _complaints(browser, "<link rel='icon' href='data:,'><p>fine</p>") == []


def test_axe_reports_accessibility_faults(browser: Browser) -> None:
    """It finds an image without a text and a field without a label."""
    page = browser.new_page()
    page.goto("about:blank")
    page.set_content("<main><img src='data:,'><input></main>")

    with pytest.raises(AssertionError, match=r"(?s)image-alt.*label"):
        assert_accessible(page, "a page with mistakes")
    page.close()
