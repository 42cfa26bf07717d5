"""The menu of approvals' site."""

from approvals.pages.site import approvals_site


def test_the_menu_names_its_pages_in_plain_words() -> None:
    """Each entry has the name of a page, never that of a class or a module."""
    labels = [item.label for item in approvals_site("http://127.0.0.1:8001").menu]

    assert labels == ["Inbox", "Decided", "Dead letters", "Audit", "Orders"]
