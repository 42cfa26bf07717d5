"""The pages of the reference say what the code says."""

import pytest

from reference_pages.pages import FOLDER, PAGES
from reference_pages.problems import MEANINGS, problems_page


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_up_to_date(name: str) -> None:
    """Each page is as `make reference` would write it today."""
    written = (FOLDER / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), f"docs/reference/{name} is out of date: run `make reference`"


def test_a_code_without_a_meaning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem code of the sources that nobody has described ends the writing, and is named."""
    monkeypatch.delitem(MEANINGS, "ORDER_EXISTS")

    with pytest.raises(LookupError, match="ORDER_EXISTS"):
        problems_page()
